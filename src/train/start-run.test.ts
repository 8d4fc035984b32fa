/** The library call, with trainings of a few steps. train.test.ts tests that resuming is exact. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadClassifier } from '../classifier/classifier.ts';
import type { Engine } from '../engine/engine.ts';
import { openTorch } from '../engine/torch.ts';
import { RunFolder } from './run/run-folder.ts';
import { train } from './start-run.ts';
import type { TrainEvent, TrainOptions } from './train-options.ts';

const root = mkdtempSync(join(tmpdir(), 'inception-start-run-'));
let engine: Engine;
beforeAll(() => {
  engine = openTorch({ device: 'cpu' });
});
afterAll(async () => {
  await engine.close();
  rmSync(root, { recursive: true });
});

const small = (name: string): TrainOptions => ({
  network: 'inception-resnet-v2',
  data: 'fashion-mnist',
  out: join(root, name),
  options: { width: 0.125, blocks: { A: 1, B: 1, C: 1 }, inputSize: 75 },
  recipe: { name: 'small-data', epochs: 1, batch: 16 },
  precision: 'float32',
  validation: 0,
  limitTrain: 64,
  limitTest: 32,
  engine,
});

describe('train', () => {
  it('emits events in order, and writes a run with everything derived from a few options', async () => {
    const run = train({ ...small('run'), validation: 0.1, limitValidation: 16 });
    const events: TrainEvent[] = [];
    for await (const event of run) events.push(event);
    expect(events.map(({ kind }) => kind)).toEqual([
      'start',
      'step',
      'step',
      'step',
      'step',
      'evaluation',
      'test',
    ]);
    expect(events[0]).toMatchObject({ totalSteps: 4, position: { step: 0 }, engine: { device: 'cpu' } });
    expect(events[0]).toMatchObject({
      train: { length: 64 },
      validation: { length: 16 },
      test: { length: 32 },
    });
    expect(events[4]).toMatchObject({ step: 4, totalSteps: 4 });
    const result = await run.result;
    expect(result).toMatchObject({ finished: true, position: { step: 4, epoch: 1 } });
    expect(result).toMatchObject({ evaluation: events[5], test: events[6] });
    expect(await new RunFolder(run.folder).configuration()).toMatchObject({
      format: 1,
      network: 'inception-resnet-v2',
      options: { width: 0.125, classes: 10 },
      recipe: { name: 'small-data', epochs: 1, batch: 16, learningRate: (0.15 * 16) / 64 },
      preprocessing: { size: [75, 75], crop: 1 },
      seed: 1,
      precision: 'float32',
      device: 'cpu',
      validation: 0.1,
      limitTrain: 64,
      limitValidation: 16,
      versions: { libtorch: engine.facts.libtorch },
      machine: { hardware: engine.facts.hardware, cores: availableParallelism() },
    });
    expect(readFileSync(join(run.folder, 'curves.svg'), 'utf8')).toContain('test error');
    expect(existsSync(join(run.folder, 'pid'))).toBe(false);
    const classifier = await loadClassifier(run.folder, { engine });
    expect(classifier.classes).toContain('Sneaker');
    await classifier.close();
  });

  it('stops with a checkpoint, and resumes from it', async () => {
    const first = train(small('stopped'));
    for await (const { kind } of first) if (kind === 'step') first.stop();
    expect(await first.result).toMatchObject({
      finished: false,
      position: { step: 1 },
      evaluation: undefined,
    });
    const steps: number[] = [];
    const second = train({ resume: first.folder, engine });
    for await (const event of second) if (event.kind === 'step') steps.push(event.step);
    expect(steps).toEqual([2, 3, 4]);
    const { test } = await second.result;
    expect(test).toMatchObject({ kind: 'test', step: 4 });
    // Nothing is left to do: the result is that of before.
    const third = train({ resume: first.folder, network: 'inception-resnet-v2', engine });
    expect(await third.result).toMatchObject({ finished: true, evaluation: undefined, test });
    // Iterating after the end gives no events.
    for await (const event of third) expect(event).toBeUndefined();
  });

  it('ends when its signal is aborted', async () => {
    const interruption = new AbortController();
    const run = train({ ...small('aborted'), signal: interruption.signal });
    for await (const { kind } of run) if (kind === 'step') interruption.abort();
    expect(await run.result).toMatchObject({ finished: false, position: { step: 1 } });
  });

  it.each<[differences: Partial<TrainOptions>, message: RegExp]>([
    [{ network: 'inception-v5' }, /no network is called 'inception-v5'; there are inception-v3, /],
    [{ recipe: 'big-data' }, /no recipe is called 'big-data'; there are paper, small-data/],
    [
      { recipe: { epochs: -1 } },
      /recipe option 'epochs': expected a number above 0 and at most 1000000; received -1/,
    ],
    [{ options: { classes: 5 } }, /classes: fashion-mnist has 10 classes, received 5/],
    [{ options: { inputSize: 74 } }, /needs an input of at least 75×75 pixels, received 74×74/],
    [{ data: '/nowhere' }, /\/nowhere/],
    [
      { limitValidation: 5 },
      /^option 'limitValidation': has no effect: fashion-mnist has no validation images here$/,
    ],
    [
      { evaluateEvery: 5 },
      /^option 'evaluateEvery': has no effect: fashion-mnist has no validation images here$/,
    ],
    [{ validation: 1 }, /^option 'validation': expected a number of at least 0 and below 1; received 1$/],
  ])('refuses %o before anything is written', async (differences, message) => {
    const run = train({ ...small('refused'), ...differences });
    const iterating = (async () => {
      for await (const event of run) expect(event).toBeUndefined();
    })();
    await expect(iterating).rejects.toThrow(message);
    await expect(run.result).rejects.toThrow(message);
    expect(existsSync(run.folder)).toBe(false);
  });

  it('refuses to overwrite a run, and to resume a missing run or another network', async () => {
    await expect(train(small('run')).result).rejects.toThrow(
      /already holds a run; continue it with --resume/,
    );
    await expect(train({ resume: join(root, 'none'), engine }).result).rejects.toThrow(/is not a run/);
    const other = train({ resume: join(root, 'run'), network: 'inception-v4', engine });
    await expect(other.result).rejects.toThrow(/run trains inception-resnet-v2, not inception-v4/);
  });
});
