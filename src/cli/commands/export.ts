/** `inception export` and `inception convert`: a model as an ONNX file, or under the names of another ecosystem. */
import { join } from 'node:path';
import Table from 'cli-table3';
import type { Command } from 'commander';
import { type DialectName, dialectNames, hubDialectNames } from '../../ecosystems/dialects.ts';
import { type ExportReport, exportWeights } from '../../ecosystems/export/export-weights.ts';
import { cardLibrary, differencesWith, misfit } from '../../ecosystems/export/fit-dialect.ts';
import { UsageError } from '../../errors.ts';
import { type CalibrationMethod, calibrationMethods } from '../../int8/range-finding.ts';
import type { ModelFile } from '../../model/model-file.ts';
import { isOnnxFile } from '../../model/model-kind.ts';
import type { ModelInput } from '../../onnx/model-metadata.ts';
import { onnxPrecisions } from '../../onnx/write/export-onnx.ts';
import { exportPasses } from '../../onnx/write/onnx-graph-of.ts';
import { openModel } from '../../predict/open-model.ts';
import type { CardLibrary } from '../../train/card/model-card.ts';
import { runFactsAt } from '../../train/card/read-run-facts.ts';
import { writeCard } from '../../train/card/write-card.ts';
import { exportToOnnx, type OnnxValues, readPasses } from '../export-to-onnx.ts';
import { modelArgument, noticesTo } from '../options/model-options.ts';
import { grouped } from '../output/format.ts';
import { addOutput, flagOf, oneOf, wholeNumber } from '../usage.ts';

interface Values extends OnnxValues {
  to?: DialectName;
  report?: boolean;
}

export function addExport(program: Command): void {
  const command = program
    .command('export')
    .alias('convert')
    .description("export a model as an ONNX file, or its weights in another ecosystem's format")
    .argument('<model>', modelArgument);
  addOutput(command, {
    value: 'file',
    about: `an .onnx file; with --to a .safetensors file, or a folder ('out/'), which gets a config.json as well with --to ${hubDialectNames.join(', ')}`,
  })
    .option('--to <dialect>', `export weights for ${dialectNames.join(', ')}`, oneOf('--to', dialectNames))
    .option('--report', 'print the name and shape of every exported tensor (with --to)')
    .option(
      '--precision <precision>',
      `precision of the ONNX file: ${onnxPrecisions.join(', ')} (default: float32)`,
      oneOf('--precision', onnxPrecisions),
    )
    .option(
      '--input <type>',
      'input of the ONNX file: normalised float32 [n, c, h, w], or raw uint8 [n, h, w, c] (default: float32)',
      oneOf<ModelInput>('--input', ['float32', 'uint8']),
    )
    .option('--softmax', 'output probabilities instead of logits')
    .option(
      '--class-activation',
      "a second output 'class_activation' [n, classes, h, w]: what each cell of the last grid gives to each class",
    )
    .option(
      '--features',
      "another output 'features' [n, features]: what the classifier reads, for 'embed' and 'similar'",
    )
    .option(
      '--passes <names>',
      `graph rewrites to apply: 'none' or some of ${exportPasses.map(({ name }) => name).join(',')} (default: all but the last)`,
      readPasses,
    )
    .option(
      '--calibrate <data>',
      "calibration images for int8: 'fashion-mnist' or a folder (default: the training data)",
    )
    .option(
      '--calibration-method <method>',
      `calibration method: ${calibrationMethods.join(', ')} (default: min-max)`,
      oneOf<CalibrationMethod>('--calibration-method', calibrationMethods),
    )
    .option(
      '--calibration-images <n>',
      'number of calibration images (default: 256)',
      wholeNumber('--calibration-images'),
    )
    .option(
      '--test-images <n>',
      'number of test images for the int8 accuracy report (default: 1000)',
      wholeNumber('--test-images'),
    )
    .option(
      '--threads <n>',
      'threads for the comparison with libtorch (default: all cores)',
      wholeNumber('--threads'),
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Every ONNX file is run in ONNX Runtime and compared with libtorch; if they disagree, no file is written.
A file of another ecosystem is converted directly. 'convert' is an alias of this command.

Examples:
  inception export runs/photos -o photos.onnx
  inception export hub:timm/inception_v4.tf_in1k -o v4.onnx --input uint8 --softmax
  inception export runs/photos -o photos-int8.onnx --precision int8 --calibrate photos
  inception export runs/photos --to timm -o photos-timm/
  inception export inception_v4.ckpt --to timm -o inception_v4.safetensors --report`,
    )
    .action(run);
}

const int8Only = ['calibrate', 'calibrationMethod', 'calibrationImages', 'testImages'] as const;
const onnxOnly = [
  ...['precision', 'input', 'softmax', 'classActivation', 'features', 'passes', 'threads'],
  ...int8Only,
] as const;

async function run(path: string, values: Values): Promise<void> {
  checkUsage(values);
  const notices = noticesTo(process.stderr);
  const model = await openModel(path, notices);
  try {
    if (values.to === undefined) await exportToOnnx(model, values);
    else await exportToDialect(model, { ...values, path, to: values.to });
  } finally {
    notices.end();
    await model.close();
  }
}

/** Checks the combination of options before anything is read. */
function checkUsage(values: Values): void {
  const { to, output } = values;
  if (to === undefined) {
    if (!isOnnxFile(output) && values.precision === undefined)
      throw new UsageError(
        `--output: expected a file that ends in .onnx, or --to with one of ${dialectNames.join(', ')}; received '${output}'`,
      );
    if (values.report) throw new UsageError('--report: has no effect without --to');
    const idle =
      values.precision === 'int8' ? undefined : int8Only.find((name) => values[name] !== undefined);
    if (idle !== undefined) throw new UsageError(`${flagOf(idle)}: has no effect without --precision int8`);
    if (values.classActivation && values.precision === 'int8')
      throw new UsageError('--class-activation: is not made of int8 weights; expected float32 or float16');
    if (values.features && values.precision === 'int8')
      throw new UsageError('--features: are not made of int8 weights; expected float32 or float16');
    return;
  }
  const unsupported = onnxOnly.find((name) => values[name] !== undefined);
  if (unsupported !== undefined)
    throw new UsageError(
      `${flagOf(unsupported)}: has no effect with --to, which exports weights; expected an ONNX file`,
    );
  if (isOnnxFile(output))
    throw new UsageError(`--to: exports weights, not ONNX files; received --to ${to} with '${output}'`);
}

async function exportToDialect(
  model: ModelFile,
  { path, to, output, report, json }: Values & { path: string; to: DialectName },
): Promise<void> {
  const exported = await exportWeights(model, { to, output });
  const { network } = model.description;
  const library = cardLibrary(to);
  const card =
    library && exported.files.length > 1 ? await cardOf(model, { path, folder: output, library }) : undefined;
  const misfits = misfit(model, to) ?? [];
  const ranges = model.description.int8
    ? [`the ranges of int8 are left out: ${to} has no place for them`]
    : [];
  const result = {
    ...exported,
    files: [...exported.files, ...(card === undefined ? [] : [card])],
    differences: [
      ...new Set([...exported.differences, ...differencesWith(model, to), ...misfits, ...ranges]),
    ],
  };
  if (json) {
    process.stdout.write(`${JSON.stringify({ network, to, ...result }, null, 2)}\n`);
    return;
  }
  process.stdout.write(
    `${report ? exportReport(result) : ''}${model.source}, ${network}: ${grouped(result.parameters.length)} tensors as ${to}'s in ${listOf(result.files)}\n`,
  );
  for (const sentence of [...result.differences, ...result.decisions]) process.stderr.write(`${sentence}\n`);
}

/** `a`, `a and b`, `a, b and c`. */
const listOf = (names: readonly string[]): string =>
  [names.slice(0, -1).join(', '), names.at(-1)].filter(Boolean).join(' and ');

/** The card beside exported weights; with the run's records if the model is a run's. */
async function cardOf(
  model: ModelFile,
  { path, folder, library }: { path: string; folder: string; library: CardLibrary },
): Promise<string | undefined> {
  const run = await runFactsAt(path).catch(({ message }: Error) => {
    process.stderr.write(`${message}; the card is without the run's records\n`);
    return undefined;
  });
  const card = await writeCard(folder, { description: model.description, run, library });
  if (card === undefined)
    process.stderr.write(`${join(folder, 'README.md')} has been edited and stays as it is\n`);
  return card;
}

function exportReport({ parameters }: ExportReport): string {
  const table = new Table({
    head: ['parameter', 'exported as', 'shape', 'note'],
    style: { head: [], border: [], compact: true },
  });
  for (const { parameter, to, shape, note } of parameters)
    table.push([parameter, to, shape.join('×'), note ?? '']);
  return `${table.toString()}\n`;
}
