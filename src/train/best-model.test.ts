/** Trainings that keep their best evaluation, with an engine; the order of what they write is tested in run/recorder.test.ts. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../engine/engine.ts';
import { openTorch } from '../engine/torch.ts';
import { openSafetensors } from '../weights/safetensors/safetensors.ts';
import { bestOf, evaluationsOf } from './run/model-choice.ts';
import { RunFolder } from './run/run-folder.ts';
import { train } from './start-run.ts';

let root: string;
let engine: Engine;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'inception-best-'));
  engine = openTorch({ device: 'cpu' });
});
afterAll(async () => {
  await engine.close();
  await rm(root, { recursive: true, force: true });
});

async function tensorsOf(path: string) {
  const file = await openSafetensors(path);
  const tensors = await Promise.all([...file.tensors.keys()].map((name) => file.read(name)));
  await file.close();
  return tensors.map(({ name, data }) => [name, Buffer.from(data.buffer).toString('base64')]);
}

const begin = (out: string) =>
  train({
    network: 'inception-v4',
    options: { width: 0.125, blocks: { A: 1, B: 1, C: 1 }, inputSize: 75 },
    data: 'fashion-mnist',
    recipe: { name: 'small-data', batch: 4, epochs: 4, patience: 1, learningRate: 0.2 },
    limitTrain: 8,
    limitValidation: 4,
    limitTest: 4,
    precision: 'float32',
    engine,
    out,
  });

describe('a training with patience', () => {
  it('ends after an epoch that is not better, and its model is the best one, also where it was interrupted', async () => {
    const [whole, parts] = [join(root, 'whole'), join(root, 'parts')];
    const { result } = begin(whole);
    const { model, evaluation, stoppedEarly, finished } = await result;
    const evaluations = evaluationsOf(await new RunFolder(whole).metrics());
    const best = bestOf(evaluations);
    expect(finished).toBe(true);
    expect(model).toEqual({ ...best, chosen: true });
    expect(evaluation).toEqual(evaluations.at(-1));
    expect(stoppedEarly).toBe((evaluation?.step ?? 0) < 12);

    // Stopped in the middle of an epoch, and at an evaluation: the next process knows which was the best.
    for (const stop of ['step', 'evaluation'] as const) {
      const run = stop === 'step' ? begin(parts) : train({ resume: parts, engine });
      for await (const { kind } of run) if (kind === stop) run.stop();
    }
    await train({ resume: parts, engine }).result;
    for (const name of ['model.safetensors', 'last.safetensors'])
      expect(await tensorsOf(join(parts, name)), name).toEqual(await tensorsOf(join(whole, name)));
    const told = (await new RunFolder(parts).metrics()).filter(({ kind }) => kind === 'evaluation');
    const errors = (lines: readonly object[]) => lines.map((line) => ({ ...line, elapsedSeconds: 0 }));
    expect(errors(told)).toEqual(errors(evaluations));
  });
});
