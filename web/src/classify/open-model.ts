/** Reads, validates and opens an .onnx file of this package in a worker. */

import { inputBytes } from '../../../src/images/preprocess.ts';
import type { ModelDescription } from '../../../src/model/description.ts';
import { addOutputs } from '../../../src/onnx/add-outputs.ts';
import { describedBy, statedSoftmax } from '../../../src/onnx/model-metadata.ts';
import { measureGraph } from '../../../src/onnx/run/measure-graph.ts';
import { readGraph } from '../../../src/onnx/run/read-graph.ts';
import { validateModel } from '../../../src/onnx/run/validate-model.ts';
import type { ShapedGraph } from '../../../src/onnx/shapes/value.ts';
import { foreignFile } from './foreign-file.ts';
import type { Event, LoadedModel, ModelSource } from './messages.ts';
import { type ModelBytes, readModel } from './model-file.ts';
import { type Network, openNetwork } from './session.ts';

/** A model that has been read and validated, before a session is made of it. */
export interface ReadModel {
  readonly file: ModelBytes;
  readonly description: ModelDescription;
  readonly metadata: ReadonlyMap<string, string>;
  readonly shaped: ShapedGraph;
}

type Send = (event: Extract<Event, { kind: 'progress' | 'starting' }>) => void;

/** @throws Error for a file that is no model, or none of this package's with a classifier. */
export async function readValidModel(source: ModelSource, send: Send): Promise<ReadModel> {
  const file = await readModel(source, (done, total) => send({ kind: 'progress', done, total }));
  const foreign = foreignFile(file.bytes);
  if (foreign !== undefined) throw new Error(`${file.name}: ${foreign}`);
  send({ kind: 'starting' });
  const { metadata } = validateModel(file.bytes, file.name);
  const description = describedBy(metadata, file.name);
  const shaped = readGraph(file.bytes, file.name);
  measureGraph(shaped, { path: file.name, size: description?.preprocessing.size });
  if (!description) {
    throw new Error(
      `${file.name}: the file has no 'model' metadata with labels and preprocessing; use a file written by 'inception export'`,
    );
  }
  if (description.classes.length === 0) throw new Error(`${file.name}: the network has no classifier`);
  return { file, description, metadata, shaped };
}

/**
 * Opens it, with values inside it as further outputs, and runs it once: the first run allocates, and measured times exclude it.
 * `dims` are those of the first of the values.
 */
export async function openReadModel(
  { file, description, metadata }: ReadModel,
  inner: readonly string[] = [],
): Promise<{ readonly network: Network; readonly dims: readonly number[] }> {
  const network = await openNetwork(inner.length > 0 ? addOutputs(file.bytes, inner) : file.bytes, {
    path: file.name,
    preprocessing: description.preprocessing,
    softmax: statedSoftmax(metadata),
  });
  const blank = new Uint8Array(inputBytes(description.preprocessing));
  const [first] = inner;
  if (first !== undefined) return { network, dims: (await network.output(blank, first)).dims };
  await network.predict(blank);
  return { network, dims: [] };
}

/** What the page says of it. */
export const factsOf = (
  { file, description, metadata }: ReadModel,
  {
    network,
    parts,
    activates,
    loadMs,
  }: { network: Network; parts: readonly string[]; activates: boolean; loadMs: number },
): LoadedModel => ({
  name: file.name,
  bytes: file.bytes.length,
  description,
  precision: metadata.get('precision'),
  backend: network.backend,
  activates,
  parts,
  cached: file.cached,
  checked: file.checked,
  loadMs,
});
