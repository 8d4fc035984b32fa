/** Checkpoints as a disk may give them back, with tensors in JavaScript's memory in the place of an engine's. */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryStore, smallestGraph, smallestNetwork } from '../../../test/memory-store.ts';
import { usualOptimizers } from '../../compile/optimizers/optimizers.ts';
import { buildGraph } from '../../graph/build-graph.ts';
import { configure } from '../../networks/networks.ts';
import { conv } from '../../networks/notation.ts';
import { openSafetensors, writeSafetensors } from '../../weights/safetensors/safetensors.ts';
import { restoreCheckpoint, saveCheckpoint, saveModel } from './checkpoint.ts';
import { modelProblem, restoreLatest } from './restore-latest.ts';
import { RunFolder } from './run-folder.ts';
import { initialState, type TrainingState } from './training-state.ts';

const graph = smallestGraph;
const optimizer = usualOptimizers.sgd;

const stateAt = (step: number): TrainingState => ({
  ...initialState,
  position: { step, epoch: 1, position: step, elapsedSeconds: 0.5 },
});

let folder: RunFolder;
beforeEach(async () => {
  folder = new RunFolder(await mkdtemp(join(tmpdir(), 'inception-restore-')));
  await mkdir(join(folder.path, 'checkpoints'));
});
afterEach(() => rm(folder.path, { recursive: true }));

const save = (step: number, store = memoryStore(step).store) =>
  saveCheckpoint(folder.checkpoint(step), { store, graph, optimizer, state: stateAt(step), metadata: {} });

/** Restores into an empty store: the step, a value of the weights, and what was said. */
async function resume() {
  const { store, written } = memoryStore(0);
  const warnings: string[] = [];
  const state = await restoreLatest(folder, { store, graph, optimizer }, (line) => warnings.push(line));
  const weight = written.get('averages/stem/weight')?.[0];
  return { step: state?.position.step, weight, warnings };
}

const invert = async (path: string, at: (bytes: Buffer) => number) => {
  const bytes = await readFile(path);
  bytes.writeUInt8(bytes.readUInt8(at(bytes)) ^ 1, at(bytes));
  await writeFile(path, bytes);
};

/** Rewrites a checkpoint, checksums included, with other values of the first tensor. */
async function rewrite(path: string, value: number) {
  const file = await openSafetensors(path);
  const tensors = await Promise.all([...file.tensors.keys()].map((name) => file.read(name)));
  await file.close();
  (tensors[0]?.data as Float32Array)[1] = value;
  const sources = tensors.map((tensor) => ({ ...tensor, read: () => tensor.data }));
  await writeSafetensors(path, {
    tensors: sources,
    metadata: Object.fromEntries(file.metadata),
    checksums: true,
  });
}

describe('a resumed training', () => {
  it('begins with the newest checkpoint and says nothing', async () => {
    await save(20);
    await save(40);
    expect(await resume()).toEqual({ step: 40, weight: 40, warnings: [] });
  });

  it('begins anew without checkpoints', async () => {
    expect(await resume()).toEqual({ step: undefined, weight: undefined, warnings: [] });
  });

  it.each<[string, (path: string) => Promise<unknown>, RegExp]>([
    ['truncated', (path) => truncate(path, 1900), /: the tensors need \d+ bytes of data, the file has \d+/],
    [
      'cut within its header',
      (path) => truncate(path, 100),
      /: its header would have \d+ bytes, the whole file has 100/,
    ],
    ['empty', (path) => truncate(path, 0), /: expected at least 8 bytes, the file has 0/],
    ['all zeros', (path) => writeFile(path, Buffer.alloc(2000)), /: its header would have 0 bytes/],
    [
      'damaged in its last byte',
      (path) => invert(path, (bytes) => bytes.length - 1),
      /: tensor 'randomState' does not match its checksum: expected [0-9a-f]{8}, received [0-9a-f]{8}/,
    ],
    [
      'damaged in its metadata',
      (path) => invert(path, (bytes) => bytes.indexOf('elapsedSeconds')),
      /: its header does not match its checksum/,
    ],
    [
      'damaged in the name of its checksums',
      (path) => invert(path, (bytes) => bytes.indexOf('inception.crc32')),
      /: not a checkpoint, or its header is damaged/,
    ],
    [
      'of values that are not numbers',
      (path) => rewrite(path, Number.NaN),
      /: 'stem\/weight' holds NaN \(element 1 of 54\)/,
    ],
    [
      'another one under its name',
      async (path) => {
        await save(7);
        await rename(folder.checkpoint(7), path);
      },
      /: expected the state after step 40, received that after step 7/,
    ],
  ])('begins with the checkpoint before it if the newest is %s', async (_, damage, problem) => {
    await save(20);
    await save(40);
    await damage(folder.checkpoint(40));
    const { warnings, ...resumed } = await resume();
    expect(resumed).toEqual({ step: 20, weight: 20 });
    expect(warnings).toEqual([expect.stringMatching(problem)]);
    expect(warnings[0]).toMatch(/^\S+40\.safetensors: /);
    expect(warnings[0]).toMatch(
      /; continuing from \S+20\.safetensors, and the damaged file is kept as \S+40\.safetensors\.damaged$/,
    );
    expect((await readdir(join(folder.path, 'checkpoints'))).sort()).toEqual([
      '20.safetensors',
      '40.safetensors.damaged',
    ]);
  });

  it('is refused if no checkpoint is whole', async () => {
    for (const step of [20, 40]) {
      await save(step);
      await truncate(folder.checkpoint(step), 3);
    }
    await expect(resume()).rejects.toThrow(
      /no checkpoint is whole; remove \S+40\.safetensors and \S+20\.safetensors to resume from step 0\. \S+40\.safetensors: expected at least 8 bytes, the file has 3\. \S+20\.safe/,
    );
    expect(await folder.checkpoints()).toEqual([40, 20]);
  });

  it('does not take a checkpoint of another network for a damaged one', async () => {
    await save(40);
    const other = buildGraph(
      configure({ ...smallestNetwork, layers: { stem: conv('1x1', 3) }, classes: 0 }, {}),
    );
    const { store } = memoryStore(0);
    await expect(restoreLatest(folder, { store, graph: other, optimizer })).rejects.toThrow(
      /40\.safetensors: not a checkpoint of this network \('stem\/weight' \[3, 3, 1, 1\] is missing or has another shape\)$/,
    );
  });

  it('reads checkpoints from before there were checksums', async () => {
    await save(40);
    const file = await openSafetensors(folder.checkpoint(40));
    const tensors = await Promise.all([...file.tensors.keys()].map((name) => file.read(name)));
    await file.close();
    const position = JSON.stringify(stateAt(40).position);
    const metadata = { format: 'inception checkpoint 1', optimizer: 'sgd', position };
    const sources = tensors.map((tensor) => ({ ...tensor, read: () => tensor.data }));
    await writeSafetensors(folder.checkpoint(40), { tensors: sources, metadata });
    const { store } = memoryStore(0);
    expect(await restoreCheckpoint(folder.checkpoint(40), { store, graph, optimizer })).toEqual(stateAt(40));
  });
});

describe('saving', () => {
  it('refuses weights that are not finite, and keeps what was saved before', async () => {
    await save(20);
    const { store } = memoryStore(1);
    await store.write('momentum/stem/beta', Float32Array.of(1, Number.NEGATIVE_INFINITY));
    await expect(save(40, store)).rejects.toThrow(
      "step 40: 'momentum/stem/beta' holds -Infinity (element 1 of 2); nothing was saved, and the last checkpoint is kept",
    );
    await store.write('averages/stem/beta', Float32Array.of(Number.NaN, 1));
    await expect(
      saveModel(folder.file('model.safetensors'), { store, graph, step: 40, metadata: {} }),
    ).rejects.toThrow("step 40: 'averages/stem/beta' holds NaN (element 0 of 2)");
    expect(await readdir(folder.path)).toEqual(['checkpoints']);
    expect(await readdir(join(folder.path, 'checkpoints'))).toEqual(['20.safetensors']);
  });
});

describe('a run’s model', () => {
  const path = () => folder.file('model.safetensors');
  const write = () => saveModel(path(), { store: memoryStore(1).store, graph, step: 40, metadata: {} });

  it('is whole if it is that of the last evaluation', async () => {
    await write();
    expect(await modelProblem(folder, { step: 40 })).toBeUndefined();
    expect(await modelProblem(folder, { step: 60 })).toMatch(
      /model\.safetensors: expected the model of the evaluation after step 60, received that after step 40$/,
    );
  });

  it('is missed, and known to be damaged', async () => {
    expect(await modelProblem(folder, { step: 40 })).toMatch(/model\.safetensors: no such file$/);
    await write();
    await invert(path(), (bytes) => bytes.length - 1);
    expect(await modelProblem(folder, { step: 40 })).toMatch(
      /model\.safetensors: tensor 'logits\S*' does not match its checksum/,
    );
  });
});
