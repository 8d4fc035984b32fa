/** ONNX Runtime in the browser: on WebGPU where there is a card, else on WebAssembly with as many threads as are allowed. */
import type { InferenceSession, Tensor } from 'onnxruntime-web';
import asyncModule from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url';
import asyncBinary from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';
import module from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import binary from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import { inputBytes, type Preprocessing } from '../../../src/images/preprocess.ts';
import { probabilitiesOf, scaledPlanes } from '../../../src/onnx/run/image-tensors.ts';
import type { Backend } from './messages.ts';

export interface Network {
  readonly backend: Backend;
  /** From bytes [n, height, width, channels] to probabilities, n rows. */
  predict(images: Uint8Array<ArrayBuffer>): Promise<Float32Array>;
  close(): Promise<void>;
}

type Runtime = typeof import('onnxruntime-web');

interface Options {
  readonly preprocessing: Preprocessing;
  /** Whether the model's output are probabilities already. */
  readonly softmax: boolean;
}

/** More threads than this do not make one image faster. */
const mostThreads = 8;

/** Opens a model. Where WebGPU is there and refuses the model, WebAssembly takes it. */
export async function openNetwork(model: Uint8Array, options: Options): Promise<Network> {
  const refusal = await withoutGpu();
  if (refusal === undefined) {
    try {
      const runtime = await import('onnxruntime-web/webgpu');
      runtime.env.wasm.wasmPaths = { mjs: addressOf(asyncModule), wasm: addressOf(asyncBinary) };
      runtime.env.wasm.numThreads = 1;
      const network = await open(runtime as unknown as Runtime, { model, provider: 'webgpu', ...options });
      const backend: Backend = { name: 'WebGPU', threads: 1, reason: undefined };
      return { backend, ...network };
    } catch (error) {
      return openOnProcessor(model, { ...options, reason: `WebGPU refused: ${(error as Error).message}` });
    }
  }
  return openOnProcessor(model, { ...options, reason: refusal });
}

async function openOnProcessor(
  model: Uint8Array,
  { reason, ...options }: Options & { reason: string },
): Promise<Network> {
  const runtime = (await import('onnxruntime-web/wasm')) as unknown as Runtime;
  const cores = navigator.hardwareConcurrency || 1;
  const threads = crossOriginIsolated ? Math.min(cores, mostThreads) : 1;
  runtime.env.wasm.wasmPaths = { mjs: addressOf(module), wasm: addressOf(binary) };
  runtime.env.wasm.numThreads = threads;
  const network = await open(runtime, { model, provider: 'wasm', ...options });
  const isolation = crossOriginIsolated
    ? []
    : [
        'this page is not cross-origin isolated (its host sends no COOP and COEP headers), which leaves one thread',
      ];
  return { backend: { name: 'WebAssembly', threads, reason: [reason, ...isolation].join('; ') }, ...network };
}

/** ONNX Runtime resolves against its own file otherwise. */
const addressOf = (path: string): string => new URL(path, import.meta.url).href;

/** Why there is no WebGPU, or undefined if there is. */
async function withoutGpu(): Promise<string | undefined> {
  const { gpu } = navigator as Navigator & { gpu?: { requestAdapter(): Promise<unknown> } };
  if (!gpu) return 'this browser has no WebGPU';
  const adapter = await gpu.requestAdapter().catch(() => null);
  return adapter ? undefined : 'WebGPU finds no graphics card';
}

async function open(
  { InferenceSession: sessions, Tensor: TensorOf }: Runtime,
  { model, provider, preprocessing, softmax }: Options & { model: Uint8Array; provider: string },
): Promise<Omit<Network, 'backend'>> {
  const session: InferenceSession = await sessions.create(model, {
    executionProviders: [provider],
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  });
  const [input] = session.inputMetadata;
  const outputName = session.outputNames[0] as string;
  if (!input?.isTensor || (input.type !== 'uint8' && input.type !== 'float32'))
    throw new Error(
      `the model's input is ${input?.isTensor ? input.type : 'no tensor'}; expected float32 or uint8`,
    );
  const { name, type } = input;
  const [height, width] = preprocessing.size;
  const channels = preprocessing.channels ?? 3;
  return {
    predict: async (images) => {
      const count = images.length / inputBytes(preprocessing);
      const tensor =
        type === 'uint8'
          ? new TensorOf('uint8', images, [count, height, width, channels])
          : new TensorOf('float32', scaledPlanes(images, preprocessing), [count, channels, height, width]);
      const output = (await session.run({ [name]: tensor }))[outputName] as Tensor;
      const values = output.data as Float32Array;
      return softmax ? values : probabilitiesOf(values, values.length / count);
    },
    close: () => session.release(),
  };
}
