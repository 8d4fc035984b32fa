/** `inception import`: converts weights of another ecosystem to a model. */
import Table from 'cli-table3';
import type { Command } from 'commander';
import { readModelLabels } from '../../data/labels/model-labels.ts';
import { type DialectName, dialectNames, ecosystemTitles } from '../../ecosystems/dialects.ts';
import { importWeights } from '../../ecosystems/import/import-weights.ts';
import type { ImportOptions, ImportPlan } from '../../ecosystems/import/plan-import.ts';
import { costsOf } from '../../graph/costs.ts';
import { describeProtocol, type Protocol } from '../../images/preprocess.ts';
import type { ResamplingKernel } from '../../images/resize.ts';
import { networks } from '../../networks/networks.ts';
import { printable } from '../../printable.ts';
import { noticesTo } from '../options/model-options.ts';
import { inputSize } from '../options/network-options.ts';
import {
  addCropOptions,
  addScalingOptions,
  cropOf,
  modelLabels,
  type OnnxOptions,
  scalingOf,
} from '../options/onnx-options.ts';
import { grouped } from '../output/format.ts';
import { addOutput, oneOf, renamed, wholeNumber } from '../usage.ts';

interface ImportValues extends Pick<OnnxOptions, 'preprocessing' | 'mean' | 'std'> {
  output: string;
  from?: DialectName;
  network?: string;
  modelLabels?: string;
  labelOffset?: number;
  resetClassifier?: number;
  inputChannels?: number;
  inputSize?: number | [number, number];
  auxiliary: boolean;
  averages: boolean;
  protocol?: Protocol;
  crop?: number;
  kernel?: ResamplingKernel;
  report?: boolean;
  json?: boolean;
}

export function addImport(program: Command): void {
  const command = program
    .command('import')
    .description(`convert weights of ${ecosystems} into a model`)
    .argument(
      '<file>',
      ".safetensors, .h5, .pth, .pt, .bin, .ckpt, a TensorFlow checkpoint, a folder in timm's form, or hub:owner/name",
    );
  addOutput(command, { value: 'file', about: 'the model: a .safetensors file' });
  addImportOptions(command);
  addCropOptions(addScalingOptions(command), "the dialect's")
    .option('--report', 'print the source of every parameter')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
The source and the network are detected from the tensor names.

Examples:
  inception import inception_v4.ckpt -o inception-v4.safetensors --label-offset 1 --model-labels imagenet.txt
  inception import inception_v3_weights_tf_dim_ordering_tf_kernels.h5 -o v3.safetensors
  inception import hub:timm/inception_resnet_v2.tf_in1k --reset-classifier 5 -o flowers.safetensors`,
    )
    .action(run);
}

/** Options that identify the file and select what to import. */
function addImportOptions(command: Command): Command {
  return command
    .option(
      '--from <dialect>',
      `source of the weights: ${dialectNames.join(', ')} (default: detected)`,
      oneOf('--from', dialectNames),
    )
    .option(
      '--network <name>',
      "a network of 'inception models' (default: detected)",
      oneOf(
        '--network',
        networks.map(({ name }) => name),
      ),
    )
    .option('--model-labels <file>', modelLabels)
    .addOption(renamed('--labels <file>', '--model-labels'))
    .option(
      '--label-offset <n>',
      "number of leading outputs to drop; 1 drops TF-Slim's background class (default: 0)",
      wholeNumber('--label-offset', 0),
    )
    .option(
      '--reset-classifier <n>',
      'replace the classifier with a new one for n classes',
      wholeNumber('--reset-classifier'),
    )
    .option(
      '--input-channels <n>',
      'adapt the first convolution to n channels, such as 1 for greyscale',
      wholeNumber('--input-channels'),
    )
    .option('--input-size <pixels>', 'input resolution, as 299 or HEIGHTxWIDTH', inputSize)
    .option('--no-auxiliary', 'drop the auxiliary classifier')
    .option(
      '--no-averages',
      'the weights themselves, where a TensorFlow checkpoint has their moving averages too',
    );
}

const ecosystems = new Intl.ListFormat('en', { type: 'disjunction' }).format(ecosystemTitles);

/** Options of `importWeights`. */
async function importOptions(values: ImportValues): Promise<ImportOptions> {
  const { modelLabels: labelFile, ...rest } = values;
  const optional = <K extends keyof typeof rest>(key: K) =>
    rest[key] === undefined ? {} : ({ [key]: rest[key] } as Pick<typeof rest, K>);
  const preprocessing = { ...scalingOf(values), ...cropOf(values) };
  return {
    ...optional('from'),
    ...optional('network'),
    ...optional('labelOffset'),
    ...optional('resetClassifier'),
    ...optional('inputChannels'),
    ...optional('inputSize'),
    auxiliary: rest.auxiliary,
    ...(!rest.averages && { averages: false }),
    ...(Object.keys(preprocessing).length > 0 && { preprocessing }),
    ...(labelFile !== undefined && (await readModelLabels(labelFile))),
  } as ImportOptions;
}

async function run(path: string, values: ImportValues): Promise<void> {
  const notices = noticesTo(process.stderr);
  try {
    const plan = await importWeights(path, {
      ...(await importOptions(values)),
      ...notices,
      output: values.output,
    });
    if (values.json) {
      const parameters = plan.parameters.map(({ parameter, from, note }) => ({
        name: parameter.name,
        shape: parameter.shape,
        from,
        note,
      }));
      const { dialect, description, ignored, decisions } = plan;
      process.stdout.write(
        `${JSON.stringify({ output: values.output, dialect, description, parameters, ignored, decisions }, null, 2)}\n`,
      );
      return;
    }
    process.stdout.write(`${values.report ? importReport(plan) : ''}${summary(plan, values.output)}`);
  } finally {
    notices.end();
  }
}

function summary(
  { dialect, description, graph, parameters, ignored, decisions }: ImportPlan,
  output: string,
): string {
  const { network, classes, preprocessing, options } = description;
  const changed = new Map<string, string[]>();
  for (const { parameter, note } of parameters) {
    if (note !== undefined) changed.set(note, [...(changed.get(note) ?? []), parameter.name]);
  }
  const lines = [
    `network   ${network}${Object.keys(options).length > 1 ? ` ${JSON.stringify(options)}` : ''}`,
    `dialect   ${dialect}, ${grouped(parameters.length)} tensors, ${grouped(costsOf(graph).parameters)} parameters`,
    `classes   ${classes.length === 0 ? 'none' : `${grouped(classes.length)}: ${printable(classes.slice(0, 3).join(', '), 200)}${classes.length > 3 ? ', …' : ''}`}`,
    `protocol  ${describeProtocol(preprocessing)}`,
    ...[...changed].map(([note, names]) => `changed   ${names.join(', ')}: ${note}`),
    ...decisions.map((decision) => `decided   ${decision}`),
    ...(ignored.length > 0 ? [`skipped   ${grouped(ignored.length)} tensors of training state`] : []),
    `written   ${output}`,
  ];
  return `${lines.join('\n')}\n`;
}

function importReport({ parameters }: ImportPlan): string {
  const table = new Table({
    head: ['parameter', 'shape', 'from', 'note'],
    style: { head: [], border: [], compact: true },
  });
  for (const { parameter, from, note } of parameters)
    table.push([parameter.name, parameter.shape.join('×'), printable(from ?? '–', 200), note ?? '']);
  return `${table.toString()}\n`;
}
