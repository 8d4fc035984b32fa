/** `inception export -o FILE.onnx`: writes the file, compares it with libtorch if available, and prints a report. */
import { describeReport } from '../data/data-report.ts';
import { openUnlabelledFolder } from '../data/folders/image-folder.ts';
import { isUnlabelled, openData } from '../data/open-data.ts';
import { subset } from '../data/selection.ts';
import { openEvaluationImages } from '../data/splits/evaluation-images.ts';
import type { Engine } from '../engine/engine.ts';
import { UsageError } from '../errors.ts';
import type { ModelFile } from '../model/model-file.ts';
import type { ModelInput } from '../onnx/model-metadata.ts';
import {
  type Calibration,
  exportOnnx,
  type OnnxPrecision,
  type OnnxReport,
} from '../onnx/write/export-onnx.ts';
import type { CalibrationMethod } from '../onnx/write/int8/range-finding.ts';
import { type ExportPasses, exportPasses } from '../onnx/write/onnx-graph-of.ts';
import type { ParityReference } from '../onnx/write/parity.ts';
import { loadModel } from '../predict/load-model.ts';
import { noticesTo } from './options/model-options.ts';
import { grouped, percent } from './output/format.ts';

export interface OnnxValues {
  readonly output: string;
  readonly precision?: OnnxPrecision;
  readonly input?: ModelInput;
  readonly softmax?: boolean;
  readonly classActivation?: boolean;
  readonly features?: boolean;
  readonly passes?: ExportPasses;
  readonly calibrate?: string;
  readonly calibrationMethod?: CalibrationMethod;
  readonly calibrationImages?: number;
  readonly testImages?: number;
  readonly threads?: number;
  readonly json?: boolean;
}

/** Parses the passes to apply, as `foldBatchNorm,exchangePooling` or `none`. @throws UsageError */
export function readPasses(text: string): ExportPasses {
  const requested = text === 'none' ? [] : text.split(',');
  const names: readonly string[] = exportPasses.map(({ name }) => name);
  const unknown = requested.find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`--passes: expected 'none' or some of ${names.join(', ')}, received '${unknown}'`);
  return Object.fromEntries(names.map((name) => [name, requested.includes(name)]));
}

export async function exportToOnnx(model: ModelFile, values: OnnxValues): Promise<void> {
  const notices = new Set<string>();
  const { onNotice } = noticesTo(process.stderr);
  /** Says a line once: an image may serve for both the scales and the comparison. */
  const say = (line: string) => {
    if (!notices.has(line)) onNotice?.(line);
    notices.add(line);
  };
  const calibration = values.precision === 'int8' ? await calibrationFor(model, values, say) : undefined;
  const engine = await libtorch(values);
  try {
    const report = await exportOnnx(model, {
      ...values,
      calibration,
      reference: engine && referenceOf(model, engine),
    });
    const { network } = model.description;
    process.stdout.write(
      values.json
        ? `${JSON.stringify({ network, ...report, ...(calibration && { notices: [...notices] }) }, null, 2)}\n`
        : `${parityText(report)}${accuracyText(report)}${model.source}, ${network}: ${report.precision}, ${grouped(report.nodes)} nodes, ${(report.bytes / 1e6).toFixed(1)} MB in ${report.file}\n`,
    );
  } finally {
    await engine?.close();
  }
}

/** Images for int8: training images to choose the scales, test images to measure the loss of accuracy. */
async function calibrationFor(
  model: ModelFile,
  values: OnnxValues,
  say: (line: string) => void,
): Promise<Calibration> {
  const data = values.calibrate ?? model.description.data;
  if (data === undefined) {
    throw new UsageError(
      `--calibrate: ${model.source} does not say what it was trained on; expected 'fashion-mnist' or a folder of representative images`,
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

/** Without libtorch the file is written nevertheless, with a warning that it was not compared. */
async function libtorch({ threads }: OnnxValues): Promise<Engine | undefined> {
  try {
    const { openTorch } = await import('../engine/torch.ts');
    return openTorch({ device: 'cpu', ...(threads !== undefined && { threads }) });
  } catch (error) {
    process.stderr.write(
      `warning: not compared with libtorch, which cannot be loaded: ${(error as Error).message.split('\n')[0]}\n`,
    );
    return undefined;
  }
}

/** The same model in libtorch, in float32; loaded for the comparison and released afterwards. */
const referenceOf = (model: ModelFile, engine: Engine): ParityReference => ({
  name: `libtorch ${engine.facts.libtorch}`,
  outputs: async (images) => {
    const loaded = await loadModel(model, { engine, precision: 'float32' });
    try {
      const { data } = await (model.graph.network.classes === 0
        ? loaded.embed(images)
        : loaded.logits(images));
      return data as Float32Array;
    } finally {
      loaded.release();
    }
  },
});

function parityText({ parity }: OnnxReport): string {
  if (!parity) return '';
  const { reference, images, largestDifference, relativeDifference, within, sameTop1 } = parity;
  return `ONNX Runtime against ${reference}, ${images} images: largest difference ${largestDifference.toExponential(1)}, relative ${relativeDifference.toExponential(1)} (tolerance ${within.toExponential(0)}), same top-1 on ${sameTop1}\n`;
}

function accuracyText({ accuracy, precision }: OnnxReport): string {
  if (!accuracy) return '';
  const { data, images, sameTop1, float32Error, error } = accuracy;
  const errors =
    float32Error === undefined || error === undefined
      ? ''
      : `, top-1 error ${percent(error)} (float32: ${percent(float32Error)})`;
  return `${precision} against float32 on ${grouped(images)} images of ${data}: same top-1 on ${percent(sameTop1)}${errors}\n`;
}
