/** Keras's HDF5 files: weights (Keras 1 and 2), whole models, and Keras 3's `.weights.h5`. Read by h5wasm. */
import { stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { type NamedTensor, type TensorFile, type TensorInfo, WeightsError } from '../tensor-file.ts';

interface Entry {
  readonly path: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Keras 3 keeps the layer's name beside its numbered variables. */
  readonly layer: unknown;
}

type Answer =
  | { readonly error: string }
  | { readonly datasets: readonly Entry[] }
  | { readonly bytes: ArrayBuffer };

const arrays: Readonly<Record<string, new (buffer: ArrayBuffer) => NamedTensor['data']>> = {
  F16: Uint16Array,
  F32: Float32Array,
  F64: Float64Array,
  I32: Int32Array,
  I64: BigInt64Array,
};

/** What Keras 3 numbers, by how many there are; batch normalisation's gamma and beta may each be absent. */
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

/** A broken file can keep HDF5 busy; no sound one needs this long for a header or a tensor. */
const patienceMs = 60_000;

/** Opens a file. @throws WeightsError naming it and what is wrong. */
export async function openH5File(path: string): Promise<TensorFile> {
  const { size } = await stat(path);
  const worker = new Worker(new URL('./h5-worker.mjs', import.meta.url), {
    workerData: { path, mostBytes: size },
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: 256 },
  });
  // HDF5 writes its traces there; the one line that matters comes as a message.
  worker.stderr.resume();
  worker.stdout.resume();
  let ended = false;
  const next = () =>
    new Promise<Exclude<Answer, { error: string }>>((resolve, reject) => {
      const fail = (problem: string) => {
        ended = true;
        finish();
        void worker.terminate();
        reject(new WeightsError(`${path}: cannot be read as HDF5 (${problem})`));
      };
      const timer = setTimeout(() => fail(`no answer within ${patienceMs / 1000} s`), patienceMs);
      const onMessage = (answer: Answer) => {
        if ('error' in answer) return fail(answer.error);
        finish();
        resolve(answer);
      };
      const onError = (error: Error) => fail(error.message.split('\n')[0] ?? 'unknown');
      const onExit = () => fail('HDF5 gave up');
      const finish = () => {
        clearTimeout(timer);
        worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      };
      worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    });
  worker.on('error', () => undefined);
  const opened = await next();
  const paths = named('datasets' in opened ? opened.datasets : []);
  // A file that is open keeps no process alive.
  worker.unref();
  let queue: Promise<unknown> = Promise.resolve();
  const tensors = new Map<string, TensorInfo>(
    [...paths].map(([name, { dtype, shape }]) => [name, { name, dtype, shape }]),
  );
  return {
    format: 'h5',
    tensors,
    metadata: new Map(),
    read(name) {
      const entry = paths.get(name);
      if (!entry) return Promise.reject(new WeightsError(`${path}: there is no tensor '${name}'`));
      const job = async (): Promise<NamedTensor> => {
        if (ended) throw new WeightsError(`${path}: the file has been closed`);
        worker.ref();
        const answer = next();
        worker.postMessage(entry.path);
        const read = await answer;
        worker.unref();
        const array = arrays[entry.dtype] ?? Uint8Array;
        const bytes = 'bytes' in read ? read.bytes : new ArrayBuffer(0);
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

/** Datasets by name: their path, or for Keras 3's numbered variables the layer's name and the variable's. */
function named(entries: readonly Entry[]): ReadonlyMap<string, Entry> {
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
        .find((each) => each.length === counts.get(group(entry)));
      return [`${entry.layer}/${names?.[Number(number)] ?? number}`, entry];
    }),
  );
}
