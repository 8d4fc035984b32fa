/** The job for an .onnx file: the file itself, and values in the form of its input. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSession } from '../onnx/run/runtime.ts';
import { validateModel } from '../onnx/run/validate-model.ts';
import { BenchError } from './bench-error.ts';
import { benchImages, type WorkOptions } from './job.ts';

export interface OnnxJob extends WorkOptions {
  readonly onnx: string;
  /** Path of the raw input values. */
  readonly images: string;
  readonly tensor: FileTensor;
}

export interface FileTensor {
  readonly name: string;
  readonly type: 'float32' | 'uint8';
  readonly shape: readonly number[];
}

export interface OnnxWorkOptions {
  readonly path: string;
  /** Images per run; default: the file's fixed batch size, otherwise 8. */
  readonly batch?: number | undefined;
  /** [height, width], for a file that accepts any size. */
  readonly size?: readonly [number, number] | undefined;
  readonly threads: number;
}

export interface OnnxWork {
  readonly work: WorkOptions;
  readonly tensor: FileTensor;
  /** Precision stated in the file. */
  readonly precision: string;
}

/** Reads the input of a file. @throws DeployError or BenchError saying what does not match. */
export async function describeOnnxWork({ path, batch, size, threads }: OnnxWorkOptions): Promise<OnnxWork> {
  const bytes = readFileSync(path);
  const { metadata } = validateModel(bytes, path);
  const session = await openSession(bytes, { path, threads });
  const [input, ...otherInputs] = session.inputMetadata;
  await session.release();
  if (!input?.isTensor || otherInputs.length > 0 || (input.type !== 'float32' && input.type !== 'uint8'))
    throw new BenchError(`${path}: expected one input of float32 or uint8`);
  const [images, ...sizes] = input.shape;
  const accepted = `${input.name}: ${input.type} [${input.shape.join(', ')}]`;
  if (typeof images === 'number' && batch !== undefined && batch !== images)
    throw new BenchError(
      `${path}: accepts only batches of ${images} (${accepted}); received --batch ${batch}`,
    );
  const count = typeof images === 'number' ? images : (batch ?? 8);
  const freeAxes = sizes.flatMap((length, axis) => (typeof length === 'string' ? axis : []));
  if (freeAxes.length > 0 && (size === undefined || freeAxes.length !== 2))
    throw new BenchError(`${path}: its input accepts any size (${accepted}); expected --input-size`);
  const shape = sizes.map((length, axis) =>
    typeof length === 'number' ? length : (size?.[freeAxes.indexOf(axis)] as number),
  );
  return {
    work: {
      work: 'infer',
      network: path,
      options: {},
      batch: count,
      // Also for an int8 file: its outputs are compared as float32.
      precision: 'float32',
      device: 'cpu',
      threads,
    },
    tensor: { name: input.name, type: input.type, shape: [count, ...shape] },
    precision: metadata.get('precision') ?? 'of unknown precision',
  };
}

/** Writes the job and its values into a folder. */
export function writeOnnxJob({ work, tensor }: OnnxWork, folder: string): string {
  const images = join(folder, 'images.raw');
  const noise = benchImages(tensor.shape.reduce((product, side) => product * side, 1));
  writeFileSync(
    images,
    tensor.type === 'uint8' ? Uint8Array.from(noise, (value) => (value + 1) * 127) : noise,
  );
  const job: OnnxJob = { ...work, onnx: work.network, images, tensor };
  const path = join(folder, 'job.json');
  writeFileSync(path, JSON.stringify(job));
  return path;
}
