/** ONNX Runtime in the browser: WebGPU if available, otherwise WebAssembly with as many threads as allowed. */
import asyncModule from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url';
import asyncBinary from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';
import module from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import binary from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import {
  type OnnxPredictor,
  type OnnxSession,
  predictorOf,
} from '../../../src/onnx/run/session-predictor.ts';
import type { Backend } from './messages.ts';

type Options = Parameters<typeof predictorOf>[1];

export interface Network {
  readonly backend: Backend;
  /** Maps bytes [n, height, width, channels] to probabilities, n rows. */
  predict(images: Uint8Array): Promise<Float32Array>;
  /** Any output of the file, by its name. */
  readonly output: OnnxPredictor['output'];
  close(): Promise<void>;
}

type Runtime = typeof import('onnxruntime-web');

/** More threads do not speed up a single image. */
const maxThreads = 8;

/** Opens a model. Falls back to WebAssembly if WebGPU is available but cannot run the model. */
export async function openNetwork(model: Uint8Array, options: Options): Promise<Network> {
  const reason = await gpuProblem();
  if (reason === undefined) {
    try {
      const runtime = await import('onnxruntime-web/webgpu');
      runtime.env.wasm.wasmPaths = { mjs: urlOf(asyncModule), wasm: urlOf(asyncBinary) };
      runtime.env.wasm.numThreads = 1;
      const network = await open(runtime as unknown as Runtime, { model, provider: 'webgpu', ...options });
      const backend: Backend = { name: 'WebGPU', threads: 1, reason: undefined };
      return { backend, ...network };
    } catch (error) {
      return openOnCpu(model, { ...options, reason: `WebGPU failed: ${(error as Error).message}` });
    }
  }
  return openOnCpu(model, { ...options, reason });
}

async function openOnCpu(
  model: Uint8Array,
  { reason, ...options }: Options & { reason: string },
): Promise<Network> {
  const runtime = (await import('onnxruntime-web/wasm')) as unknown as Runtime;
  const cores = navigator.hardwareConcurrency || 1;
  const threads = crossOriginIsolated ? Math.min(cores, maxThreads) : 1;
  runtime.env.wasm.wasmPaths = { mjs: urlOf(module), wasm: urlOf(binary) };
  runtime.env.wasm.numThreads = threads;
  const network = await open(runtime, { model, provider: 'wasm', ...options });
  const isolation = crossOriginIsolated
    ? []
    : [
        'this page is not cross-origin isolated (its host sends no COOP and COEP headers), which limits it to one thread',
      ];
  return { backend: { name: 'WebAssembly', threads, reason: [reason, ...isolation].join('; ') }, ...network };
}

/** Absolute URL; ONNX Runtime would resolve a relative one against its own file. */
const urlOf = (path: string): string => new URL(path, import.meta.url).href;

/** Why WebGPU cannot be used, or undefined if it can. */
async function gpuProblem(): Promise<string | undefined> {
  const { gpu } = navigator as Navigator & { gpu?: { requestAdapter(): Promise<unknown> } };
  if (!gpu) return 'this browser has no WebGPU';
  const adapter = await gpu.requestAdapter().catch(() => null);
  return adapter ? undefined : 'WebGPU finds no GPU';
}

async function open(
  { InferenceSession: sessions, Tensor }: Runtime,
  { model, provider, ...options }: Options & { model: Uint8Array; provider: string },
): Promise<Omit<Network, 'backend'>> {
  const session = await sessions.create(model, {
    executionProviders: [provider],
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  });
  const { predict, output, release } = predictorOf({ session, Tensor } as unknown as OnnxSession, options);
  return { predict, output, close: release };
}
