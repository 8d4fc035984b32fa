import { describe, expect, it } from 'vitest';
import { UsageError } from '../../errors.ts';
import { checkNames, namedModel } from './open-served-models.ts';

const nothing = () => false;

describe('the name of a served model', () => {
  it.each([
    ['runs/photos', 'photos', 'runs/photos'],
    ['hub:timm/inception_v4.tf_in1k@main', 'inception_v4.tf_in1k', 'hub:timm/inception_v4.tf_in1k@main'],
    ['cats=runs/photos', 'cats', 'runs/photos'],
    ['M.ONNX', 'M', 'M.ONNX'],
    ['models/epoch=3.onnx', 'epoch-3', 'models/epoch=3.onnx'],
    ['my cats.onnx', 'my-cats', 'my cats.onnx'],
  ])('of %s is %s', (argument, name, path) => {
    expect(namedModel(argument, nothing)).toEqual({ name, path });
    expect(() => checkNames([{ name, path }])).not.toThrow();
  });

  it('is not what stands before = in the name of a file', () => {
    expect(namedModel('epoch=3-step=10.onnx', () => true)).toEqual({
      name: 'epoch-3-step-10',
      path: 'epoch=3-step=10.onnx',
    });
  });

  it('is refused where nothing is left of it', () => {
    expect(() => checkNames([namedModel('ä.onnx', nothing)])).toThrow(UsageError);
  });
});
