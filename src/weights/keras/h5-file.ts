/** Keras's HDF5 files: weights (Keras 1 and 2), whole models, and Keras 3's `.weights.h5`. Read with h5wasm. */
import { stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { type NamedTensor, type TensorFile, type TensorInfo, WeightsError } from '../tensor-file.ts';
import { h5Limits } from './h5-limits.ts';

interface Entry {
  readonly path: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Keras 3 stores the layer's name next to its numbered variables. */
  readonly layer: unknown;
}

type Reply =
  | { readonly error: string }
  /** The file is HDF5, but not one that is read. */
  | { readonly refusal: string }
  | { readonly datasets: readonly Entry[]; readonly model: string | undefined }
  | { readonly bytes: ArrayBuffer };

const arrays: Readonly<Record<string, new (buffer: ArrayBuffer) => NamedTensor['data']>> = {
  F16: Uint16Array,
  F32: Float32Array,
  F64: Float64Array,
  I32: Int32Array,
  I64: BigInt64Array,
};

/** Names of Keras 3's numbered variables, by their count; batch normalisation may lack gamma, beta or both. */
const variableNames: readonly (readonly [layer: RegExp, names: readonly (readonly string[])[]])[] = [
  [
    /^batch_normalization/,
    [
      ['moving_mean', 'moving_variance'],
      ['beta', 'moving_mean', 'moving_variance'],
      ['gamma', 'beta', 'moving_mean', 'moving_variance'],
    ],
  ],
  [/^(conv2d|dense)/, [['kernel'], ['kernel', 'bias']]],
];

/** A corrupt file can keep HDF5 busy for ever; no valid one takes this long for a header or a tensor. */
const timeoutMs = 60_000;

/** Where an HDF5 file lies in another file. */
export interface Window {
  readonly offset: number;
  readonly size: number;
}

/** Opens a file, or one that lies in another. @throws WeightsError naming the file and the problem. */
export async function openH5File(path: string, inside?: Window): Promise<TensorFile> {
  const window = inside ?? { offset: 0, size: (await stat(path)).size };
  const worker = new Worker(new URL('./h5-worker.mjs', import.meta.url), {
    workerData: { path, window, limits: h5Limits(window.size) },
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: 256 },
  });
  // HDF5 prints stack traces to these streams; the relevant line arrives as a message.
  worker.stderr.resume();
  worker.stdout.resume();
  let ended = false;
  const next = () =>
    new Promise<Exclude<Reply, { error: string } | { refusal: string }>>((resolve, reject) => {
      const refuse = (problem: string) => {
        ended = true;
        finish();
        void worker.terminate();
        reject(new WeightsError(`${path}: ${problem}`));
      };
      const fail = (problem: string) => refuse(`cannot be read as HDF5 (${problem})`);
      const timer = setTimeout(() => fail(`no reply within ${timeoutMs / 1000} s`), timeoutMs);
      const onMessage = (reply: Reply) => {
        if ('error' in reply) return fail(reply.error);
        if ('refusal' in reply) return refuse(reply.refusal);
        finish();
        resolve(reply);
      };
      const onError = (error: Error) => fail(error.message.split('\n')[0] ?? 'unknown');
      const onExit = () => fail('HDF5 aborted');
      const finish = () => {
        clearTimeout(timer);
        worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      };
      worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    });
  worker.on('error', () => undefined);
  const opened = await next();
  const paths = byName('datasets' in opened ? opened.datasets : []);
  // An open file should not keep the process alive.
  worker.unref();
  let queue: Promise<unknown> = Promise.resolve();
  const tensors = new Map<string, TensorInfo>(
    [...paths].map(([name, { dtype, shape }]) => [name, { name, dtype, shape }]),
  );
  return {
    format: 'h5',
    tensors,
    metadata: new Map(
      'model' in opened && opened.model !== undefined ? [['model_config', opened.model]] : [],
    ),
    read(name) {
      const entry = paths.get(name);
      if (!entry) return Promise.reject(new WeightsError(`${path}: there is no tensor '${name}'`));
      const job = async (): Promise<NamedTensor> => {
        if (ended) throw new WeightsError(`${path}: the file has been closed`);
        worker.ref();
        const pending = next();
        worker.postMessage(entry.path);
        const reply = await pending;
        worker.unref();
        const array = arrays[entry.dtype] ?? Uint8Array;
        const bytes = 'bytes' in reply ? reply.bytes : new ArrayBuffer(0);
        return { name, dtype: entry.dtype, shape: entry.shape, data: new array(bytes) };
      };
      const result = queue.then(job);
      queue = result.catch(() => undefined);
      return result;
    },
    async close() {
      ended = true;
      await worker.terminate();
    },
  };
}

/** Datasets by name: their path, or layer and variable name for Keras 3's numbered variables. */
function byName(entries: readonly Entry[]): ReadonlyMap<string, Entry> {
  const counts = new Map<string, number>();
  const group = ({ path }: Entry) => path.slice(0, path.lastIndexOf('/'));
  for (const entry of entries) counts.set(group(entry), (counts.get(group(entry)) ?? 0) + 1);
  return new Map(
    entries.map((entry) => {
      const match = /([^/]+)\/vars\/(\d+)$/.exec(entry.path);
      if (!match || typeof entry.layer !== 'string') return [entry.path, entry];
      const [, kind = '', number = ''] = match;
      const names = variableNames
        .find(([layer]) => layer.test(kind))?.[1]
        .find((candidate) => candidate.length === counts.get(group(entry)));
      // An optimiser's and a metric's variables have no names.
      const variable = names?.[Number(number)];
      return [variable === undefined ? entry.path : `${entry.layer}/${variable}`, entry];
    }),
  );
}
