/** The loss against PyTorch's CrossEntropyLoss; test/fixtures/cross-entropy says how its numbers were computed. */
import { afterAll, describe, expect, it } from 'vitest';
import { readFixture } from '../../../test/golden/fixture.ts';
import { openTorch } from '../../engine/torch.ts';
import { Emitter } from '../emitter.ts';
import { crossEntropy } from './loss.ts';

interface Case {
  readonly name: string;
  readonly labelSmoothing: number;
  readonly logits: readonly (readonly number[])[];
  readonly labels: readonly number[];
  readonly classWeights?: readonly number[];
  readonly otherLabels?: readonly number[];
  readonly labelShare?: readonly number[];
  readonly loss: number;
  readonly gradient: readonly (readonly number[])[];
}

const { cases } = readFixture<{ cases: readonly Case[] }>('cross-entropy/cases.json');

const engine = openTorch({ device: 'cpu' });
afterAll(() => engine.close());

const int64 = (values: readonly number[]) => BigInt64Array.from(values, BigInt);

async function lossOf(sample: Omit<Case, 'loss' | 'gradient'>, weight = 1) {
  const { logits, labels, otherLabels, labelShare, classWeights, labelSmoothing } = sample;
  const [batch, classes] = [logits.length, logits[0]?.length ?? 0];
  const emitter = new Emitter();
  const { loss, gradient } = crossEntropy(
    emitter,
    {
      logits: emitter.input('logits', 'float32', [batch, classes]),
      labels: {
        labels: emitter.input('labels', 'int64', [batch]),
        mixed: otherLabels && {
          otherLabels: emitter.input('otherLabels', 'int64', [batch]),
          labelShare: emitter.input('labelShare', 'float32', [batch, 1]),
        },
        classWeights: classWeights && emitter.input('classWeights', 'float32', [classes]),
      },
    },
    { batch, classes, labelSmoothing, weight },
  );
  emitter.output('loss', loss);
  emitter.output('gradient', gradient);
  const store = await engine.createStore({ tensors: [], views: [] });
  const outputs = await (await engine.load(emitter.finish('loss'), store)).run({
    logits: Float32Array.from(logits.flat()),
    labels: int64(labels),
    ...(otherLabels && { otherLabels: int64(otherLabels) }),
    ...(labelShare && { labelShare: Float32Array.from(labelShare) }),
    ...(classWeights && { classWeights: Float32Array.from(classWeights) }),
  });
  store.release();
  return {
    loss: Number(outputs.loss?.data[0]),
    gradient: Array.from(outputs.gradient?.data as Float32Array),
  };
}

describe('crossEntropy', () => {
  it.each(cases.map((each) => [each.name, each] as const))('equals PyTorch: %s', async (_, sample) => {
    const close = (scale: number) => ({
      loss: expect.closeTo(sample.loss, 5),
      gradient: sample.gradient.flat().map((value) => expect.closeTo(scale * value, 6)),
    });
    expect(await lossOf(sample)).toEqual(close(1));
    expect(await lossOf(sample, 0.4)).toEqual(close(0.4));
  });

  it('is PyTorch’s weighted loss, too, where every mixed image is wholly its first label', async () => {
    for (const sample of cases.filter(({ classWeights }) => classWeights)) {
      const whole = { otherLabels: sample.labels.map(() => 3), labelShare: sample.labels.map(() => 1) };
      const { loss, gradient } = await lossOf({ ...sample, ...whole });
      expect(loss).toBeCloseTo(sample.loss, 5);
      expect(gradient).toEqual(sample.gradient.flat().map((value) => expect.closeTo(value, 6)));
    }
  });
});
