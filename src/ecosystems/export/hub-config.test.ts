/** The forms of config.json that timm has written; its own reader is timm/models/_hub.py. */
import { describe, expect, it } from 'vitest';
import { ModelError } from '../../model/description.ts';
import { readHubConfig, UnknownArchitectureError } from './hub-config.ts';

const read = (config: object) =>
  readHubConfig(JSON.stringify({ architecture: 'inception_v3', ...config }), 'c.json');

describe('a config.json of the hub', () => {
  it('has labels as a list, or by index where indices are left out', () => {
    expect(read({ num_classes: 2, label_names: ['cat', 'dog'] }).options.classes).toEqual(['cat', 'dog']);
    const gaps = read({ num_classes: 4, label_names: { 0: 'cat', 2: 'dog' } });
    expect(gaps.options.classes).toEqual(['cat', 'class 1', 'dog', 'class 3']);
    expect(gaps.decisions).toEqual(["2 of 4 outputs have no label and are called 'class N'"]);
    expect(read({ label_names: { 10: 'k', 9: 'j', 0: 'a' } }).options.classes).toHaveLength(11);
    const described = { label_names: { 0: 'n1' }, label_descriptions: { n1: 'cat' }, num_classes: 1 };
    expect(read(described).options).toMatchObject({ classes: ['cat'], classIds: ['n1'] });
  });

  it.each([{ cat: '0' }, { '-1': 'a' }, { '1e3': 'a' }, { 5: 'a' }, { 99999999: 'a' }, { 1000000: 'a' }])(
    'is refused if a key of its labels is no output: %o',
    (label_names) => {
      expect(() => read({ num_classes: 5, label_names })).toThrow(
        'c.json: label_names: expected the index of one of 5 outputs, received',
      );
    },
  );

  it('has labels under their older name', () => {
    expect(read({ labels: ['a', 'b'] }).options.classes).toEqual(['a', 'b']);
    expect(read({ pretrained_cfg: { labels: ['a', 'b'] } }).options.classes).toEqual(['a', 'b']);
  });

  it('has everything at the top, as the older ones', () => {
    const { options } = read({
      num_classes: 7,
      mean: [0.1, 0.2, 0.3],
      input_size: [3, 150, 150],
      crop_pct: 0.9,
    });
    expect(options).toMatchObject({ inputSize: 150, preprocessing: { mean: [0.1, 0.2, 0.3], crop: 0.9 } });
  });

  it.each([
    ['tf_inception_v3', 'inception-v3', 0.5],
    ['adv_inception_v3', 'inception-v3', 0.5],
    ['gluon_inception_v3', 'inception-v3', 0.485],
    ['ens_adv_inception_resnet_v2', 'inception-resnet-v2-released', 0.5],
    ['inception_v3.tf_in1k', 'inception-v3', 0.5],
  ])('may call its network %s', (architecture, network, mean) => {
    const { options } = read({ architecture });
    expect(options.network).toBe(network);
    expect(options.preprocessing?.mean?.[0]).toBe(mean);
  });

  it('of another network is refused by a class of its own', () => {
    expect(() => read({ architecture: 'vit_base_patch16_224' })).toThrow(UnknownArchitectureError);
    expect(() => read({ architecture: '\u001b[2Jv' })).toThrow("unknown architecture '\\u001b[2Jv'");
  });

  it.each([
    { std: [0, 1, 1] },
    { mean: [1e300, 0, 0] },
    { crop_pct: 1e-300 },
    { input_size: [3, 1e9, 1e9] },
    { num_classes: -1 },
    { num_classes: 1.5 },
    { label_names: [1, 2] },
  ])('is refused with values out of bounds: %o', (config) => {
    expect(() => read(config)).toThrow(ModelError);
    expect(() => read({ pretrained_cfg: config })).toThrow(ModelError);
  });
});
