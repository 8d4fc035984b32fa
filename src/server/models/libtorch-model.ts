/** A libtorch model behind the server's interface. */
import type { LoadedModel } from '../../predict/load-model.ts';
import { chooseBatch } from '../queue/choose-batch.ts';
import { imagesInput, type ServedModel, type ServeModelOptions, syntheticBatches } from './served-model.ts';

/** Serves a loaded model; a network without a classifier returns its embedding. */
export async function serveLoadedModel(
  model: LoadedModel,
  { name, batch: fixed }: ServeModelOptions,
): Promise<ServedModel> {
  const { preprocessing, classes, classIds } = model.description;
  const hasClasses = classes.length > 0;
  const run = (rows: Uint8Array) => (hasClasses ? model.probabilities(rows) : model.embed(rows));
  const images = syntheticBatches(preprocessing);
  const batch = await chooseBatch((count) => run(images(count)), { fixed });
  const { shape } = await run(images(1));
  return {
    name,
    platform: 'inception_libtorch',
    source: model.source,
    classes,
    ...(classIds && { classIds }),
    preprocessing,
    input: imagesInput(preprocessing),
    output: { name: hasClasses ? 'probabilities' : 'embedding', datatype: 'FP32', shape: shape.slice(1) },
    batch,
    run: async (rows) => (await run(rows as Uint8Array)).data as Float32Array,
    close: async () => model.release(),
  };
}
