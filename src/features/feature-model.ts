/** A model loaded for its features, with a key that says which features they are. */
import { createHash } from 'node:crypto';
import type { Precision } from '../compile/options.ts';
import { choosePrecision } from '../engine/precision.ts';
import { type Graph, parametersOf } from '../graph/graph.ts';
import type { ModelFile } from '../model/model-file.ts';
import { type LoadedModel, type LoadModelOptions, loadModel } from '../predict/load-model.ts';
import { openModel } from '../predict/open-model.ts';
import { featuresId } from './parts.ts';

export interface FeatureModel extends LoadedModel {
  /**
   * SHA-256 of everything before the classifier: layers, weights and statistics. Models that differ in their classifiers only,
   * as a model and a probe of it, have the same features and the same key.
   */
  readonly featuresSha256: string;
  readonly precision: Precision;
}

/** Loads any MODEL with weights. @throws as `loadModel` */
export async function loadFeatureModel(
  model: string | ModelFile,
  options: Omit<LoadModelOptions, 'precision'> & { readonly precision?: Precision },
): Promise<FeatureModel> {
  const file = typeof model === 'string' ? await openModel(model, options) : model;
  try {
    const precision = choosePrecision(options.precision ?? 'auto', options.engine.facts);
    const { read, digest } = hashed(file);
    const loaded = await loadModel({ ...file, read }, { ...options, precision });
    return { ...loaded, featuresSha256: digest(), precision };
  } finally {
    if (file !== model) await file.close();
  }
}

/** The weights are hashed while they are loaded. */
function hashed({ graph, read }: ModelFile): { read: ModelFile['read']; digest: () => string } {
  const layers = layersBefore(graph, featuresId(graph));
  const hashes = new Map<string, string>();
  return {
    read: async (parameter) => {
      const values = await read(parameter);
      if (layers.parameters.has(parameter.name)) hashes.set(parameter.name, sha256(bytesOf(values)));
      return values;
    },
    digest: () => sha256(JSON.stringify([layers.nodes, [...hashes].sort(([a], [b]) => (a < b ? -1 : 1))])),
  };
}

function layersBefore(graph: Graph, last: number) {
  const nodes = graph.nodes.filter(({ id, head }) => id <= last && head === 'main');
  return {
    nodes: nodes.map(({ op, inputs, attributes }) => ({ op, inputs, attributes })),
    parameters: new Set(parametersOf({ ...graph, nodes }).map(({ name }) => name)),
  };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
