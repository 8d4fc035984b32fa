/** The checkpoints of test/fixtures/tf-checkpoint, and the tensors that TensorFlow wrote to them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { TensorData } from '../src/weights/tensor-file.ts';
import { openTensorFlowCheckpoint } from '../src/weights/tensorflow/checkpoint.ts';

export type Tensors = Record<string, { dtype: string; shape: number[]; bytes: string }>;

export const fixture = (name: string) => join(import.meta.dirname, 'fixtures/tf-checkpoint', name);
export const shard = '.data-00000-of-00001';
export const bundle = 'bundle.ckpt-100';
export const singleFile = 'single-file.ckpt';
export const expected: Record<string, Tensors> = JSON.parse(readFileSync(fixture('expected.json'), 'utf8'));

export const hex = (data: TensorData) => Buffer.from(data.buffer).toString('hex');

/** All tensors of a checkpoint. */
export async function readCheckpoint(path: string): Promise<Tensors> {
  const file = await openTensorFlowCheckpoint(path);
  try {
    const all: Tensors = {};
    for (const [name, info] of file.tensors) {
      const { data, dtype, shape } = await file.read(name);
      expect({ dtype, shape }).toEqual({ dtype: info.dtype, shape: info.shape });
      all[name] = { dtype, shape: [...shape], bytes: hex(data) };
    }
    return all;
  } finally {
    await file.close();
  }
}
