import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goldenModels } from '../../../test/golden/fixture.ts';
import { goldenFile } from '../../../test/golden/golden-file.ts';
import { openModel } from '../../predict/open-model.ts';
import { openSafetensors, writeSafetensors } from '../../weights/safetensors/safetensors.ts';
import { WeightsError } from '../../weights/tensor-file.ts';
import { exportWeights } from '../export/export-weights.ts';
import { importWeights } from './import-weights.ts';

describe('a round trip', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'inception-import-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each([
    'timm_inception_v3',
    'facenet_inception_resnet_v1',
    'slim_inception_v3',
    'keras_inception_v3',
  ] as const)('through our format and back preserves every tensor of %s byte for byte', async (model) => {
    const [dialect] = goldenModels[model];
    const file = goldenFile(model);
    const [theirs, ours, back] = ['theirs', 'ours', 'back'].map((name) =>
      join(folder, `${name}.safetensors`),
    ) as [string, string, string];
    const tensors = [...file.tensors.values()].map((info) => ({
      ...info,
      read: async () => (await file.read(info.name)).data,
    }));
    await writeSafetensors(theirs, { tensors });
    const { decisions } = await importWeights(theirs, { output: ours });
    const opened = await openModel(ours);
    expect(opened.description.decisions ?? []).toEqual(decisions);
    await exportWeights(opened, { to: dialect, output: back });
    await opened.close();
    const [before, after] = [await openSafetensors(theirs), await openSafetensors(back)];
    const sorted = (names: Iterable<string>) => [...names].sort();
    expect(sorted(after.tensors.keys())).toEqual(sorted(before.tensors.keys()));
    for (const [name, info] of before.tensors) {
      const [a, b] = [await before.read(name), await after.read(name)];
      // TF-Slim's classifiers are 1x1 convolutions in its Inception-v3: the same numbers under a shorter shape.
      expect(b.shape.filter((side) => side !== 1)).toEqual(info.shape.filter((side) => side !== 1));
      expect(Buffer.compare(Buffer.from(a.data.buffer), Buffer.from(b.data.buffer)), name).toBe(0);
    }
    await before.close();
    await after.close();
  });

  it('writes nothing if the tensors do not match', async () => {
    const path = join(folder, 'broken.safetensors');
    await writeSafetensors(path, {
      tensors: [{ name: 'x', dtype: 'F32', shape: [1], read: () => new Float32Array(1) }],
    });
    await expect(importWeights(path, { output: join(folder, 'never.safetensors') })).rejects.toThrow(
      WeightsError,
    );
    expect((await readdir(folder)).filter((name) => name.startsWith('never'))).toEqual([]);
  });
});
