import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle, expected, fixture, readCheckpoint, shard } from '../../../test/tf-checkpoint-fixtures.ts';
import { WeightsError } from '../tensor-file.ts';
import { openTensorFlowCheckpoint } from './checkpoint.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tf-checkpoint-path-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the path of a checkpoint', () => {
  it.each([bundle, `${bundle}.index`, `${bundle}${shard}`])('may be %s', async (name) => {
    expect(await readCheckpoint(fixture(name))).toEqual(expected[bundle]);
  });

  async function folderWith(name: string, checkpoints: readonly string[], state?: string): Promise<string> {
    const path = join(folder, name);
    await mkdir(path);
    for (const checkpoint of checkpoints) {
      for (const end of ['.index', shard])
        await copyFile(fixture(bundle + end), join(path, checkpoint + end));
    }
    if (state !== undefined) await writeFile(join(path, 'checkpoint'), state);
    return path;
  }

  it.each<[string, string[], string | undefined]>([
    ['one checkpoint', ['only'], undefined],
    ['a name', ['a', 'b'], 'model_checkpoint_path: "b"\nall_model_checkpoint_paths: "a"\n'],
    ['an absolute name of elsewhere', ['a', 'b'], 'model_checkpoint_path: "/elsewhere/b"'],
    ['a name with escapes', ['é"b\\'], 'model_checkpoint_path: "\\303\\251\\"b\\\\"'],
  ])('may be a folder with %s', async (name, checkpoints, state) => {
    expect(await readCheckpoint(await folderWith(name, checkpoints, state))).toEqual(expected[bundle]);
  });

  it('may be the folder of a SavedModel', async () => {
    const path = join(folder, 'saved model');
    await mkdir(join(path, 'variables'), { recursive: true });
    await writeFile(join(path, 'saved_model.pb'), '');
    for (const end of ['.index', shard])
      await copyFile(fixture(bundle + end), join(path, 'variables', `variables${end}`));
    expect(await readCheckpoint(path)).toEqual(expected[bundle]);
  });

  it.each<[string, string[], string | undefined, string]>([
    ['nothing', [], undefined, "neither a 'checkpoint' file nor an .index file"],
    ['two', ['a', 'b'], undefined, "the folder has 2 checkpoints ('a.index', 'b.index', …)"],
    ['a name of nothing', ['a'], 'model_checkpoint_path: "c"', "names 'c', expected 'c.index' in the folder"],
    ['another checkpoint file', ['a'], 'x', 'has no line \'model_checkpoint_path: "…"\''],
  ])('may not be a folder with %s', async (name, checkpoints, state, message) => {
    const path = await folderWith(`wrong ${name}`, checkpoints, state);
    await expect(openTensorFlowCheckpoint(path)).rejects.toThrow(message);
    await expect(openTensorFlowCheckpoint(path)).rejects.toThrow(WeightsError);
  });

  it('says what is missing', async () => {
    const refuses = (path: string, message: string) =>
      expect(openTensorFlowCheckpoint(path)).rejects.toThrow(`${path}: ${message}`);
    const prefix = join(folder, 'lonely');
    await refuses(
      prefix,
      "there is no such checkpoint: expected a file 'lonely.index' next to its .data files",
    );
    await writeFile(`${prefix}${shard}`, '');
    await refuses(`${prefix}${shard}`, "there is no such checkpoint: expected a file 'lonely.index'");
    await copyFile(fixture(`${bundle}.index`), `${prefix}.index`);
    await rm(`${prefix}${shard}`);
    await refuses(prefix, `there is no 'lonely${shard}' next to the .index file; it contains the values`);
    await writeFile(`${prefix}.meta`, '');
    await refuses(`${prefix}.meta`, "it contains a graph, the weights are in 'lonely.index'");
    await copyFile(fixture(`${bundle}.index`), join(folder, 'renamed'));
    await refuses(
      join(folder, 'renamed'),
      'it is the index of a checkpoint, whose .data files are located by',
    );
    await writeFile(join(folder, 'other'), 'x'.repeat(100));
    await refuses(join(folder, 'other'), 'expected a table with the magic number 0xdb4775248b80fb57');
  });
});
