/** The images by which a model is quantised, for the commands that do, and their report of what that costs. */
import { describeReport } from '../data/data-report.ts';
import { openUnlabelledFolder } from '../data/folders/image-folder.ts';
import { isUnlabelled, openData } from '../data/open-data.ts';
import { subset } from '../data/selection.ts';
import { openEvaluationImages } from '../data/splits/evaluation-images.ts';
import { UsageError } from '../errors.ts';
import type { CalibrationMethod } from '../int8/range-finding.ts';
import type { ModelFile } from '../model/model-file.ts';
import type { Calibration } from '../onnx/write/export-onnx.ts';
import type { AccuracyReport } from '../onnx/write/int8/accuracy.ts';
import { grouped, percent } from './output/format.ts';

export interface CalibrationValues {
  readonly calibrate?: string;
  readonly calibrationMethod?: CalibrationMethod;
  readonly calibrationImages?: number;
  readonly testImages?: number;
}

/**
 * Images for int8: training images to choose the scales, test images to measure the loss of accuracy. `flag` names the data.
 * @throws UsageError if neither the caller nor the model says which
 */
export async function calibrationFor(
  model: ModelFile,
  values: CalibrationValues,
  { say, flag }: { say: (line: string) => void; flag: string },
): Promise<Calibration> {
  const data = values.calibrate ?? model.description.data;
  if (data === undefined) {
    throw new UsageError(
      `${flag}: ${model.source} does not say what it was trained on; expected 'fashion-mnist' or a folder of representative images`,
    );
  }
  const [train, test] = (await isUnlabelled(data))
    ? [await openUnlabelledFolder(data), await openUnlabelledFolder(data)]
    : [
        await openData(data, 'train'),
        await openEvaluationImages(data, [{ ...model.description, source: model.source }]),
      ];
  for (const line of [train, test].flatMap(describeReport)) say(line);
  return {
    dataset: subset(train, values.calibrationImages ?? 256),
    test: subset(test, values.testImages ?? 1000),
    method: values.calibrationMethod ?? 'min-max',
    onProgress: progressTo(process.stderr),
    onBroken: ({ message }) => say(`warning: ${message}; it is left out`),
    onNotice: say,
  };
}

function progressTo(output: NodeJS.WriteStream): (done: number, total: number) => void {
  let last = performance.now();
  return (done, total) => {
    if (performance.now() - last < 5_000) return;
    last = performance.now();
    output.write(`calibrating: ${((100 * done) / total).toFixed(0)}%\n`);
  };
}

/** `int8 against float32 on 1,000 images of photos: same top-1 on 99.8%, top-1 error 8.2% (float32: 8.2%)` */
export function describeAccuracy(
  { data, images, sameTop1, float32Error, error }: AccuracyReport,
  precision: string,
): string {
  const errors =
    float32Error === undefined || error === undefined
      ? ''
      : `, top-1 error ${percent(error)} (float32: ${percent(float32Error)})`;
  return `${precision} against float32 on ${grouped(images)} images of ${data}: same top-1 on ${percent(sameTop1)}${errors}`;
}
