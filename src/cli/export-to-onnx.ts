import type { Engine } from '../engine/engine.ts';
import { UsageError } from '../errors.ts';
import type { CalibrationMethod } from '../int8/range-finding.ts';
import type { ModelFile } from '../model/model-file.ts';
import type { ModelInput } from '../onnx/model-metadata.ts';
import { exportOnnx, type OnnxPrecision, type OnnxReport } from '../onnx/write/export-onnx.ts';
import { type ExportPasses, exportPasses } from '../onnx/write/onnx-graph-of.ts';
import type { ParityReference } from '../onnx/write/parity.ts';
import { loadModel } from '../predict/load-model.ts';
import { calibrationFor, describeAccuracy } from './calibration-data.ts';
import { noticesTo } from './options/model-options.ts';
import { counted, grouped } from './output/format.ts';
import { flagOf } from './usage.ts';

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
  const stored =
    values.precision === 'int8' && values.calibrate === undefined ? model.description.int8 : undefined;
  if (stored) refuseCalibration(model, values);
  const calibration =
    values.precision === 'int8' && !stored
      ? await calibrationFor(model, values, { say, flag: '--calibrate' })
      : undefined;
  if (stored)
    say(`${model.source}: with its own ranges, of ${counted(stored.images, 'image')} of ${stored.data}`);
  const engine = await libtorch(values);
  try {
    const report = await exportOnnx(model, {
      ...values,
      calibration,
      // With its own ranges the same arithmetic is here, too.
      reference: engine && referenceOf(model, engine, stored ? 'int8' : 'float32'),
    });
    const { network } = model.description;
    process.stdout.write(
      values.json
        ? `${JSON.stringify({ network, ...report, ...((calibration || stored) && { notices: [...notices] }) }, null, 2)}\n`
        : `${parityText(report)}${accuracyText(report)}${model.source}, ${network}: ${report.precision}, ${grouped(report.nodes)} nodes, ${(report.bytes / 1e6).toFixed(1)} MB in ${report.file}\n`,
    );
  } finally {
    await engine?.close();
  }
}

/** @throws UsageError for options of a calibration that does not happen */
function refuseCalibration({ source }: ModelFile, values: OnnxValues): void {
  const idle = (['calibrationMethod', 'calibrationImages', 'testImages'] as const).find(
    (name) => values[name] !== undefined,
  );
  if (idle !== undefined)
    throw new UsageError(
      `${flagOf(idle)}: has no effect without --calibrate on ${source}, which has ranges of its own`,
    );
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

/** The same model in libtorch; loaded for the comparison and released afterwards. */
const referenceOf = (model: ModelFile, engine: Engine, precision: 'float32' | 'int8'): ParityReference => ({
  name: `libtorch ${engine.facts.libtorch}${precision === 'int8' ? ' in int8' : ''}`,
  outputs: async (images) => {
    const loaded = await loadModel(model, { engine, precision });
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
  return accuracy ? `${describeAccuracy(accuracy, precision)}\n` : '';
}
