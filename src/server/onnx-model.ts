/** A model of ONNX Runtime as the server wants it. The file was walked when its classifier was loaded. */

import { inputBytes } from '../data/preprocess.ts';
import type { Classifier } from '../deploy/classifier.ts';
import { picturesInput, type ServedModel } from './served-model.ts';

/** Serves an ONNX file, which takes bytes like every model here, whatever its own input is. */
export async function serveClassifier(
  { classes, preprocessing, description, source, predictor, release }: Classifier,
  { name, largestBatch }: { name: string; largestBatch: number },
): Promise<ServedModel> {
  const hasClasses = classes.length > 0;
  const run = (rows: Uint8Array) => (hasClasses ? predictor.predict(rows) : predictor.outputs(rows));
  // The first run of a size plans its memory; no request should wait for that.
  let length = 0;
  for (let count = 1; count <= largestBatch; count++)
    length = (await run(new Uint8Array(count * inputBytes(preprocessing)))).length / count;
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
    run: (rows) => run(rows as Uint8Array),
    close: release,
  };
}
