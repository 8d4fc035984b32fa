/** A model of libtorch as the server wants it. */
import { inputBytes } from '../data/preprocess.ts';
import type { LoadedModel } from '../model/load-model.ts';
import { picturesInput, type ServedModel } from './served-model.ts';

/** Serves a loaded model; a network without a classifier gives its embedding. */
export async function serveLoadedModel(
  model: LoadedModel,
  { name, largestBatch }: { name: string; largestBatch: number },
): Promise<ServedModel> {
  const { preprocessing, classes, classIds } = model.description;
  const hasClasses = classes.length > 0;
  const run = (rows: Uint8Array) => (hasClasses ? model.probabilities(rows) : model.embed(rows));
  // A program is made for each number of pictures; no request should wait for that.
  let shape: readonly number[] = [];
  for (let count = 1; count <= largestBatch; count++)
    shape = (await run(new Uint8Array(count * inputBytes(preprocessing)))).shape.slice(1);
  return {
    name,
    platform: 'inception_libtorch',
    source: model.source,
    classes,
    ...(classIds && { classIds }),
    preprocessing,
    input: picturesInput(preprocessing),
    output: { name: hasClasses ? 'probabilities' : 'embedding', datatype: 'FP32', shape },
    run: async (rows) => (await run(rows as Uint8Array)).data as Float32Array,
    close: async () => model.release(),
  };
}
