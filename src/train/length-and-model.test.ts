/** Trainings that keep their best evaluation, run out of memory or try learning rates, with an engine; the order of what is written is tested in run/recorder.test.ts. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, OutOfMemoryError } from '../engine/engine.ts';
import { openTorch } from '../engine/torch.ts';
import { openSafetensors } from '../weights/safetensors/safetensors.ts';
import { bestOf, evaluationsOf } from './run/model-choice.ts';
import { RunFolder } from './run/run-folder.ts';
import { train } from './start-run.ts';
import { runSweep } from './trial/learning-rate-sweep.ts';

let root: string;
let engine: Engine;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'inception-best-'));
  engine = openTorch({ device: 'cpu', threads: 1 });
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

const options = (out: string) =>
  ({
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
  }) as const;

const begin = (out: string) => train(options(out));

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

/** The engine, with a memory that is too small for the steps of more images than these. */
const withMemoryFor = (images: number): Engine => ({
  facts: engine.facts,
  lateMs: 0,
  serveStore: () => engine.serveStore(),
  join: (options) => engine.join(options),
  createStore: (spec) => engine.createStore(spec),
  load: async (program, store) => {
    const loaded = await engine.load(program, store);
    const isTooLarge = program.inputs.some(
      ({ name, shape }) => name === 'labels' && (shape[0] ?? 0) > images,
    );
    const fail = async () => {
      throw new OutOfMemoryError('step 12: out of memory');
    };
    return isTooLarge ? { program, run: fail, profile: fail, release: () => loaded.release() } : loaded;
  },
  close: () => engine.close(),
});

describe('a training whose first step runs out of memory', () => {
  it('says so, goes on with half the batch, and is recorded with it', async () => {
    const out = join(root, 'memory');
    const recipe = { name: 'small-data', batch: 8, epochs: 1, learningRate: 0.2 } as const;
    const run = train({ ...options(out), recipe, engine: withMemoryFor(2) });
    const warnings: string[] = [];
    for await (const event of run) if (event.kind === 'warning') warnings.push(event.message);
    expect(warnings).toEqual([
      'step 12: out of memory; a batch of 4 is tried',
      'step 12: out of memory; a batch of 2 is tried',
    ]);
    const { finished, position } = await run.result;
    expect([finished, position.step]).toEqual([true, 4]);
    const { recipe: trained, fitted, decisions } = await new RunFolder(out).configuration();
    expect([trained.batch, trained.learningRate]).toEqual([2, 0.05]);
    expect(fitted).toEqual({ batch: { asked: 8, taken: 2, reason: 'step 12: out of memory' } });
    expect(decisions?.slice(-2)).toEqual([
      'out of memory: batch of 4 instead of 8, and learning rate 0.1 instead of 0.2',
      'out of memory: batch of 2 instead of 4, and learning rate 0.05 instead of 0.1',
    ]);
  });

  it('is timed with the batch that fits, where it has a time', async () => {
    const out = join(root, 'timed');
    const recipe = { name: 'small-data', batch: 8, learningRate: 0.2 } as const;
    const run = train({ ...options(out), recipe, timeSeconds: 600, engine: withMemoryFor(4) });
    for await (const { kind } of run) if (kind === 'start') run.stop();
    const { recipe: fitted, decisions } = await new RunFolder(out).configuration();
    expect([fitted.batch, fitted.learningRate]).toEqual([4, 0.1]);
    expect(decisions).toEqual([
      'out of memory: batch of 4 instead of 8, and learning rate 0.1 instead of 0.2',
      expect.stringMatching(/^time: 600 s, /),
    ]);
  });

  it('keeps the changes of a resumed run', async () => {
    const out = join(root, 'resumed');
    const recipe = { name: 'small-data', batch: 8, epochs: 1, learningRate: 0.2 } as const;
    const run = train({ ...options(out), recipe });
    for await (const { kind } of run) if (kind === 'start') run.stop();
    const changed = { recipe: { learningRate: 0.1 }, engine: withMemoryFor(4) };
    await train({ resume: out, ...changed }).result;
    const { recipe: trained, changes } = await new RunFolder(out).configuration();
    expect([trained.batch, trained.learningRate]).toEqual([4, 0.05]);
    expect(changes).toEqual([{ step: 0, what: 'learning rate', from: 0.2, to: 0.1 }]);
  });
});

describe('a sweep of learning rates', () => {
  it('leaves a curve and a suggestion in a folder that is no run, and trains nothing', async () => {
    const out = join(root, 'sweep');
    const { limitValidation: _, limitTest: __, ...rest } = options(out);
    const sweep = { ...rest, recipe: { name: 'small-data', batch: 4 } } as const;
    await expect(runSweep({ ...sweep, timeSeconds: 60 }, {})).rejects.toThrow(
      /^option 'timeSeconds': has no effect: a sweep of learning rates has up to 100 steps/,
    );
    await expect(runSweep({ ...sweep, recipe: { patience: 3 } }, {})).rejects.toThrow(
      "option 'patience': has no effect on a sweep of learning rates",
    );
    await expect(runSweep({ ...sweep, evaluateEvery: 2 }, {})).rejects.toThrow("option 'evaluateEvery'");
    const steps: number[] = [];
    const found = await runSweep(sweep, {
      range: { first: 1e-4, last: 0.1, steps: 20 },
      onStep: ({ step }) => steps.push(step),
    });
    expect(steps).toEqual(Array.from({ length: found.learningRates.length }, (_, index) => index + 1));
    expect(found.learningRates).toContainEqual(expect.closeTo(found.suggestion, 3));
    expect((await readdir(out)).sort()).toEqual(['learning-rate.json', 'learning-rate.svg']);
    expect(JSON.parse(await readFile(join(out, 'learning-rate.json'), 'utf8'))).toEqual(found);
    expect(await readFile(join(out, 'learning-rate.svg'), 'utf8')).toContain(
      `suggestion ${found.suggestion}`,
    );
    expect(await new RunFolder(out).exists()).toBe(false);
  });
});
