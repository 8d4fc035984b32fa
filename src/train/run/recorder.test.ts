/** What a run folder holds after evaluations, kills and losses, with tensors in JavaScript's memory. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryStore, smallestGraph, smallestNetwork } from '../../../test/memory-store.ts';
import { evaluationLine, sampleConfiguration } from '../../../test/sample-run.ts';
import type { Dataset } from '../../data/dataset.ts';
import { registerNetwork } from '../../networks/networks.ts';
import { openSafetensors } from '../../weights/safetensors/safetensors.ts';
import { resolveRecipe } from '../recipe/recipe.ts';
import { evaluationsOf } from './model-choice.ts';
import { recordInto } from './recorder.ts';
import { RunFolder } from './run-folder.ts';

registerNetwork(smallestNetwork);
const dataset: Dataset = {
  name: 'photos',
  classes: ['cat', 'dog'],
  length: 0,
  label: () => 0,
  image: () => Promise.reject(new Error('not read')),
  nameOf: String,
};

let folder: RunFolder;
beforeEach(async () => {
  folder = new RunFolder(await mkdtemp(join(tmpdir(), 'inception-recorder-')));
  await mkdir(join(folder.path, 'checkpoints'));
});
afterEach(() => rm(folder.path, { recursive: true }));

/** A process that trains in the folder: its weights are the number of its step. */
function recorder(step: number, { keepBest = true } = {}) {
  const warnings: string[] = [];
  const configuration = {
    ...sampleConfiguration,
    network: 'smallest',
    recipe: resolveRecipe('small-data', {
      keepBest,
      optimizer: { kind: 'sgd', momentum: 0.9, nesterov: false },
    }),
  };
  const { store } = memoryStore(step);
  const onWarning = (message: string) => warnings.push(message);
  return { ...recordInto(folder, { store, graph: smallestGraph, configuration, onWarning }), warnings };
}

/** Each evaluation by a process of its own, which resumes at its step. */
async function evaluate(step: number, top1Error: number, options = {}) {
  const process = recorder(step, options);
  await process.rewind(step);
  return process.evaluation({ ...evaluationLine(step), top1Error }, { predictions: [], dataset });
}

/** A value of the weights in a file: the step that they are from. */
async function weightIn(name: string) {
  const file = await openSafetensors(folder.file(name));
  const { data } = await file.read('stem/weight');
  await file.close();
  return Number(data[0]);
}

const chosenSteps = async () =>
  evaluationsOf(await folder.metrics()).flatMap(({ step, chosen }) => (chosen ? [step] : []));

describe('a run that keeps its best evaluation', () => {
  it('has the best averages as its model, the last ones beside it, and says so in its metrics', async () => {
    await evaluate(10, 0.4);
    expect(await evaluate(20, 0.2)).toMatchObject({ step: 20, chosen: true });
    expect(await evaluate(30, 0.3)).not.toHaveProperty('chosen');
    expect([await weightIn('model.safetensors'), await weightIn('last.safetensors')]).toEqual([20, 30]);
    expect(await chosenSteps()).toEqual([10, 20]);
  });

  it('has the last ones as its model, and no others, where nothing else was wanted', async () => {
    await evaluate(10, 0.2, { keepBest: false });
    expect(await evaluate(20, 0.3, { keepBest: false })).not.toHaveProperty('chosen');
    expect(await weightIn('model.safetensors')).toBe(20);
    await expect(weightIn('last.safetensors')).rejects.toThrow(/no such file/);
  });

  it('chooses again what a kill left without its line', async () => {
    await evaluate(10, 0.4);
    await evaluate(20, 0.2);
    // The line is dropped: the process was killed before it was written.
    await folder.truncateMetrics(10);
    await evaluate(20, 0.2);
    expect([await weightIn('model.safetensors'), await chosenSteps()]).toEqual([20, [10, 20]]);
  });

  it('does not keep a model of steps that were gone back from', async () => {
    await evaluate(10, 0.2);
    await evaluate(20, 0.1);
    // From an older checkpoint, other weights may follow: those after step 10 are overwritten.
    const resumed = recorder(10);
    await resumed.rewind(10);
    await resumed.evaluation({ ...evaluationLine(15), top1Error: 0.3 }, { predictions: [], dataset });
    expect([await weightIn('model.safetensors'), await chosenSteps()]).toEqual([10, [10, 15]]);
  });

  it('says that the best weights are lost, and takes the last ones', async () => {
    await evaluate(10, 0.2);
    await evaluate(20, 0.3);
    await rm(folder.file('model.safetensors'));
    await rm(folder.file('last.safetensors'));
    const resumed = recorder(20);
    await resumed.rewind(20);
    await resumed.repairModel(20);
    expect(resumed.warnings).toEqual([
      expect.stringMatching(
        /model\.safetensors: no such file; the weights of that evaluation are lost, and those of the last one, after step 20, have been written in their place$/,
      ),
      expect.stringMatching(/last\.safetensors: no such file; it has been written again$/),
    ]);
    expect([await weightIn('model.safetensors'), await weightIn('last.safetensors')]).toEqual([20, 20]);
    expect(await chosenSteps()).toEqual([10, 20]);
  });
});
