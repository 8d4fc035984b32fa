/** A model of ONNX Runtime as the server wants it. The file was walked when its classifier was loaded. */
import { inputBytes } from '../data/preprocess.ts';
import type { Classifier } from '../deploy/classifier.ts';
import { chooseBatch } from './choose-batch.ts';
import { picturesInput, type ServedModel, type ServeModelOptions } from './served-model.ts';

/** Serves an ONNX file, which takes bytes like every model here, whatever its own input is. */
export async function serveClassifier(
  { classes, preprocessing, description, source, predictor, release }: Classifier,
  { name, batch: asked }: ServeModelOptions,
): Promise<ServedModel> {
  const hasClasses = classes.length > 0;
  const run = (rows: Uint8Array) => (hasClasses ? predictor.predict(rows) : predictor.outputs(rows));
  const black = (count: number) => run(new Uint8Array(count * inputBytes(preprocessing)));
  const batch = await chooseBatch(black, { asked });
  const { length } = await black(1);
  const classIds = description?.classIds;
  return {
    name,
    platform: 'onnxruntime_onnx',
    source,
    classes,
    ...(classIds && { classIds }),
    preprocessing,
    input: picturesInput(preprocessing),
    output: { name: hasClasses ? 'probabilities' : 'embedding', datatype: 'FP32', shape: [length] },
    batch,
    run: (rows) => run(rows as Uint8Array),
    close: release,
  };
}
