/**
 * The `model.json` of a TensorFlow.js layers model: the network's configuration in Keras's words, and which bytes of which shards
 * are which tensor. Files are untrusted. Format: tfjs-core/src/io/types.ts (ModelJSON, WeightsManifestEntry, Quantization).
 */
import { z } from 'zod';
import { describeIssues } from '../../parse-json.ts';
import { quoted } from '../../printable.ts';
import { type TensorInfo, WeightsError } from '../tensor-file.ts';

/** How a tensor's values are stored: as they are, as numbers q of scale · q + minimum, or as float16. */
export type Storage =
  | { readonly kind: 'plain' | 'float16' }
  | { readonly kind: 'uint8' | 'uint16'; readonly scale: number; readonly minimum: number };

export interface ManifestTensor extends TensorInfo {
  readonly storage: Storage;
  /** Index of its group of shards. */
  readonly group: number;
  /** Byte range in the group's shards, one after the other. */
  readonly offset: number;
  readonly bytes: number;
}

export interface Manifest {
  readonly tensors: ReadonlyMap<string, ManifestTensor>;
  /** Paths of the shards of each group, as the file says them. */
  readonly groups: readonly (readonly string[])[];
  /** Bytes that each group's tensors need together. */
  readonly groupBytes: readonly number[];
  /** The model's configuration as Keras writes it, as JSON; undefined if the file has none. */
  readonly configuration: string | undefined;
}

/** Limits of ours. Inception-ResNet-v2 has 900 tensors and a file of 1 MB; a converter's shards have 4 MB. */
export const maxManifestBytes = 4 * 2 ** 20;
const maxTensors = 20_000;
const maxShards = 10_000;

const number = z.number().min(-3e38).max(3e38);
const quantization = z.union([
  z.object({ dtype: z.literal('float16') }),
  z.object({ dtype: z.enum(['uint8', 'uint16']), scale: number, min: number }),
]);
const weight = z.object({
  name: z.string().min(1).max(1024),
  shape: z.array(z.int().min(0)).max(8),
  dtype: z.string().max(32),
  quantization: quantization.optional(),
});
const group = z.object({
  paths: z.array(z.string().max(1024)).max(maxShards),
  weights: z.array(weight).max(maxTensors),
});
const modelJson = z.object({
  format: z.string().max(100).nullish(),
  modelTopology: z.unknown(),
  weightsManifest: z.array(group).min(1).max(1000),
});

type Weight = z.infer<typeof weight>;

/** Bytes per value as it is stored, and safetensors' word for it. */
const plainTypes: Readonly<Record<string, { readonly bytes: number; readonly dtype: string }>> = {
  float32: { bytes: 4, dtype: 'F32' },
  int32: { bytes: 4, dtype: 'I32' },
  bool: { bytes: 1, dtype: 'BOOL' },
};
const quantisedBytes = { uint8: 1, uint16: 2, float16: 2 } as const;

/** @throws WeightsError that does not name the file. */
export function parseManifest(text: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new WeightsError(`it is not JSON (${(error as Error).message})`, { cause: error });
  }
  if (typeof value !== 'object' || value === null || !('weightsManifest' in value))
    throw new WeightsError(
      "it is JSON, but no TensorFlow.js model: expected 'modelTopology' and 'weightsManifest'",
    );
  const result = modelJson.safeParse(value);
  if (!result.success) throw new WeightsError(describeIssues(result.error.issues, { limit: 5 }));
  const { format, modelTopology, weightsManifest } = result.data;
  if (format === 'graph-model')
    throw new WeightsError(
      'it is a graph model of TensorFlow.js, whose weights are those of a frozen graph; expected a layers model, as tensorflowjs_converter writes it from a Keras model (--output_format tfjs_layers_model)',
    );
  const tensors = new Map<string, ManifestTensor>();
  const groupBytes = weightsManifest.map(({ weights }, index) => {
    let offset = 0;
    for (const each of weights) {
      const tensor = tensorOf(each, { group: index, offset });
      if (tensors.has(tensor.name)) throw new WeightsError(`it lists ${quoted(tensor.name)} twice`);
      if (tensors.size === maxTensors) throw new WeightsError(`it lists more than ${maxTensors} tensors`);
      tensors.set(tensor.name, tensor);
      offset += tensor.bytes;
    }
    return offset;
  });
  const groups = weightsManifest.map(({ paths }) => paths);
  checkShards(groups.flat());
  return { tensors, groups, groupBytes, configuration: configurationOf(modelTopology) };
}

function tensorOf(
  { name, shape, dtype, quantization: stored }: Weight,
  place: { readonly group: number; readonly offset: number },
): ManifestTensor {
  const fail = (problem: string): never => {
    throw new WeightsError(`tensor ${quoted(name)}: ${problem}`);
  };
  const plain = Object.hasOwn(plainTypes, dtype) ? plainTypes[dtype] : undefined;
  if (!plain || (stored && dtype !== 'float32'))
    return fail(
      `values of type ${quoted(dtype)}${stored ? ', quantised,' : ''} are not read; expected float32, quantised or not, int32 or bool`,
    );
  const bytes = shape.reduce(
    (product, side) => product * side,
    stored ? quantisedBytes[stored.dtype] : plain.bytes,
  );
  if (!Number.isSafeInteger(place.offset + bytes)) fail(`its shape [${shape.join(', ')}] is too large`);
  const storage: Storage =
    stored === undefined
      ? { kind: 'plain' }
      : stored.dtype === 'float16'
        ? { kind: 'float16' }
        : { kind: stored.dtype, scale: stored.scale, minimum: stored.min };
  return { name, shape, dtype: storage.kind === 'float16' ? 'F16' : plain.dtype, storage, bytes, ...place };
}

/** Names within the folder only: a file from elsewhere must not read others of this machine. @throws WeightsError */
function checkShards(paths: readonly string[]): void {
  if (paths.length > maxShards) throw new WeightsError(`it names more than ${maxShards} shards`);
  const seen = new Set<string>();
  for (const path of paths) {
    const parts = path.split('/');
    if (!/^[^\\:\0]+$/.test(path) || parts.some((part) => part === '' || part === '.' || part === '..'))
      throw new WeightsError(
        `its shard ${quoted(path)} is not a name inside the folder of the file, as 'group1-shard1of2.bin'`,
      );
    if (seen.has(path)) throw new WeightsError(`it names the shard ${quoted(path)} twice`);
    seen.add(path);
  }
}

/** The converter wraps Keras's configuration; TensorFlow.js itself writes it without. */
function configurationOf(topology: unknown): string | undefined {
  if (typeof topology !== 'object' || topology === null) return undefined;
  const inner = 'model_config' in topology ? topology.model_config : topology;
  if (typeof inner === 'string') return inner;
  try {
    return JSON.stringify(inner);
  } catch (error) {
    throw new WeightsError('its modelTopology is nested too deeply', { cause: error });
  }
}
