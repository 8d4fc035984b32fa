/** `inception quantise`: a model as an int8 model. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { threads } from '../../engine/engine-options.ts';
import { UsageError } from '../../errors.ts';
import { type CalibrationMethod, calibrationMethods } from '../../int8/range-finding.ts';
import { openModel } from '../../predict/open-model.ts';
import { quantiseModel } from '../../quantise/quantise-model.ts';
import { calibrationFor, describeAccuracy } from '../calibration-data.ts';
import { addDeclared } from '../options/declared-options.ts';
import { openEngine } from '../options/engine-options.ts';
import { modelArgument, noticesTo } from '../options/model-options.ts';
import { counted, grouped } from '../output/format.ts';
import { oneOf, wholeNumber } from '../usage.ts';

interface Values {
  readonly data?: string;
  readonly output?: string;
  readonly method?: CalibrationMethod;
  readonly calibrationImages?: number;
  readonly testImages?: number;
  readonly threads?: number;
  readonly json?: boolean;
}

export function addQuantise(program: Command): void {
  const command = program
    .command('quantise')
    .description('write a model as an int8 model: its weights, and the ranges of its activations on images')
    .argument('<model>', modelArgument)
    .option(
      '--data <data>',
      "images to find the ranges on and to compare on: 'fashion-mnist' or a folder (default: the training data)",
    )
    .option(
      '-o, --output <file>',
      "a .safetensors file (default: 'int8.safetensors' in the run folder, or beside the file as NAME-int8.safetensors)",
    )
    .option(
      '--method <method>',
      `how a range is chosen from what was seen: ${calibrationMethods.join(', ')} (default: min-max)`,
      oneOf<CalibrationMethod>('--method', calibrationMethods),
    )
    .option(
      '--calibration-images <n>',
      'number of images to find the ranges on (default: 256)',
      wholeNumber('--calibration-images'),
    )
    .option(
      '--test-images <n>',
      'number of other images to compare int8 with float32 on (default: 1000)',
      wholeNumber('--test-images'),
    );
  addDeclared(command, { threads })
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
The file is a model like any other: it keeps its float32 weights, from which int8 is made when it is opened, and is as large. On the CPU
'classify', 'predict', 'evaluate' and 'serve' compute it in int8; --precision float32 gives what the model was before. 'export --precision int8'
writes it with the same ranges.

Examples:
  inception quantise runs/photos --data photos
  inception evaluate runs/photos/int8.safetensors --data photos
  inception quantise hub:timm/inception_v4.tf_in1k --data photos -o v4-int8.safetensors`,
    )
    .action(run);
}

async function run(path: string, values: Values): Promise<void> {
  const output = await outputFor(path, values.output);
  const said = new Set<string>();
  const notices = noticesTo(process.stderr);
  /** Says a line once: an image may serve for both the ranges and the comparison. */
  const say = (line: string) => {
    if (!said.has(line)) notices.onNotice?.(line);
    said.add(line);
  };
  const model = await openModel(path, notices);
  try {
    const { data, method, calibrationImages, testImages } = values;
    const calibration = await calibrationFor(
      model,
      {
        ...(data !== undefined && { calibrate: data }),
        ...(method !== undefined && { calibrationMethod: method }),
        ...(calibrationImages !== undefined && { calibrationImages }),
        ...(testImages !== undefined && { testImages }),
      },
      { say, flag: '--data' },
    );
    if (model.description.int8) say(`${model.source}: has ranges already; new ones are found`);
    const engine = await openEngine({ device: 'cpu', ...(values.threads && { threads: values.threads }) });
    try {
      const report = await quantiseModel(model, { ...calibration, output, engine });
      const { network } = model.description;
      const { accuracy, bytes, file } = report;
      process.stdout.write(
        values.json
          ? `${JSON.stringify({ network, ...report, notices: [...said] }, null, 2)}\n`
          : `${accuracy ? `${describeAccuracy(accuracy, 'int8')}\n` : ''}${model.source}, ${network}: ranges of ${grouped(report.values)} values on ${counted(calibration.dataset.length, 'image')}, ${(bytes / 1e6).toFixed(1)} MB in ${file}\n`,
      );
    } finally {
      await engine.close();
    }
  } finally {
    notices.end();
    await model.close();
  }
}

/** Beside the model; a model that is not a file of this machine needs a name. @throws UsageError */
async function outputFor(path: string, output: string | undefined): Promise<string> {
  if (output !== undefined) {
    if (output.endsWith('.safetensors')) return output;
    throw new UsageError(`--output: expected a file that ends in .safetensors, received '${output}'`);
  }
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory()) return join(path, 'int8.safetensors');
  if (info) return `${path.replace(/\.[^./]+$/, '')}-int8.safetensors`;
  throw new UsageError(`--output: expected a file for the int8 model, since ${path} is no file here`);
}
