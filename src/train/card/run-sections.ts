/** The sections of a model card that follow from a run's records. Pure. */
import type { ClassScore } from '../../evaluate/class-scores.ts';
import { describeProtocol } from '../../images/preprocess.ts';
import type { ModelDescription } from '../../model/description.ts';
import type { Configuration } from '../configuration/configuration.ts';
import { describeProbe } from '../probe/probe-record.ts';
import { cell, code, sentence, table } from './card-text.ts';

/** A model's score on the images of one split. */
export interface Measurement {
  readonly split: 'validation' | 'test';
  /** Images that count; undefined where no record says it. */
  readonly images?: number | undefined;
  readonly epoch: number;
  /** 0–1 */
  readonly top1Error: number;
  readonly top5Error: number;
  readonly balancedAccuracy?: number | undefined;
  readonly loss: number | undefined;
  /** Scores of single classes, by index, if they are recorded. */
  readonly perClass?: readonly ClassScore[] | undefined;
}

/** Images of a split, in the order of the classes. */
export interface SplitCount {
  readonly split: 'training' | 'validation' | 'test';
  readonly images: number;
  readonly perClass: readonly number[];
  /** What was left out and decided, a sentence each. */
  readonly remarks: readonly string[];
}

/** What a run has recorded of its model. */
export interface RunFacts {
  /** The folder's name. */
  readonly name: string;
  /** Of the data, without the path of the machine. */
  readonly dataName: string;
  readonly configuration: Configuration;
  readonly measured: readonly Measurement[];
  readonly counts: readonly SplitCount[];
  /** What to know of the figures: how the model was chosen, whether the training has ended. */
  readonly remarks: readonly string[];
}

export const runSections = (run: RunFacts, description: ModelDescription): string[] => [
  results(run, description),
  data(run, description),
  training(run),
];

const percent = (fraction: number): string => `${(100 * fraction).toFixed(2)}%`;

function results({ measured, remarks }: RunFacts, { preprocessing, classes }: ModelDescription): string {
  if (measured.length === 0) return '## Results\n\nThe model was not evaluated.';
  // Of five classes or fewer, the right one is always among the first five.
  const top5 = classes.length > 5;
  const head = [
    ...['split', 'images', 'accuracy', 'top-1 error'],
    ...(top5 ? ['top-5 error'] : []),
    ...['balanced accuracy', 'cross-entropy', 'epoch'],
  ];
  const rows = measured.map(({ split, images, epoch, loss, balancedAccuracy, ...errors }) => [
    ...[split, images?.toString() ?? '–', percent(1 - errors.top1Error), percent(errors.top1Error)],
    ...(top5 ? [percent(errors.top5Error)] : []),
    ...[balancedAccuracy === undefined ? '–' : percent(balancedAccuracy), loss?.toFixed(4) ?? '–'],
    Number(epoch.toFixed(2)).toString(),
  ]);
  const protocol = `Protocol: ${describeProtocol(preprocessing)}.`;
  return ['## Results', table(head, rows), [protocol, ...remarks.map(sentence)].join(' ')].join('\n\n');
}

const shownClasses = 50;

function data(
  { dataName, counts, measured, configuration }: RunFacts,
  { classes }: ModelDescription,
): string {
  if (counts.length === 0) return `## Data\n\nTrained on ${code(dataName)}; no counts are recorded.`;
  const total = counts.map(({ split, images }) => `${images} ${split} images`).join(', ');
  const { validation } = configuration;
  const origin =
    typeof validation === 'number' && validation > 0
      ? ` The validation images are ${percent(validation)} of the training folder's, by class.`
      : '';
  const scored = measured.findLast(({ perClass }) => perClass !== undefined);
  const head = [
    'class',
    ...counts.map(({ split }) => split),
    ...(scored ? ['precision', 'recall', 'F1'].map((score) => `${score} (${scored.split})`) : []),
  ];
  const score = (value: number | null | undefined) => (value == null ? '–' : value.toFixed(3));
  const rows = classes.slice(0, shownClasses).map((label, index) => {
    const found = scored?.perClass?.find((each) => each.class === index);
    return [
      cell(label),
      ...counts.map(({ perClass }) => String(perClass[index] ?? 0)),
      ...(scored ? [score(found?.precision), score(found?.recall), score(found?.f1)] : []),
    ];
  });
  const remarks = counts.flatMap(({ remarks }) => remarks);
  return [
    '## Data',
    `${code(dataName)}: ${total}.${origin}`,
    table(head, rows),
    ...(classes.length > shownClasses ? [`And ${classes.length - shownClasses} more classes.`] : []),
    ...(remarks.length > 0
      ? [[...new Set(remarks)].map((remark) => `- ${sentence(remark)}`).join('\n')]
      : []),
  ].join('\n\n');
}

function training({ configuration }: RunFacts): string {
  const { recipe, seed, precision, device, versions, probe, changes = [] } = configuration;
  const { name, epochs, batch, learningRate, schedule, optimizer, weightDecay, labelSmoothing } = recipe;
  const { classWeights } = recipe;
  const lines = [
    ...(probe?.isModel
      ? [
          '- **Recipe:** the classifier alone, a softmax regression with L2 regularisation on fixed features',
          ...describeProbe(probe).map((line) => `- ${sentence(line)}`),
          ...(classWeights === undefined || classWeights === 'none'
            ? []
            : [`- **Weights of the classes:** ${code(JSON.stringify(classWeights))}`]),
        ]
      : [
          `- **Recipe:** ${code(name)}, ${epochs} epochs of batches of ${batch}, ${optimizer.kind}, learning rate ${learningRate} (${schedule.kind}), weight decay ${weightDecay}, label smoothing ${labelSmoothing}, seed ${seed}`,
        ]),
    `- **Computed:** in ${precision} on ${device === 'cpu' ? 'the CPU' : 'CUDA'}`,
    `- **Versions:** inception-networks ${versions.inception}, libtorch ${versions.libtorch}, Node.js ${versions.node}`,
    ...changes.map(
      ({ step, what, from, to }) => `- Changed after step ${step}: ${cell(`${what} from ${from} to ${to}`)}`,
    ),
  ];
  const whole = `<details><summary>The whole recipe</summary>\n\n\`\`\`json\n${JSON.stringify(recipe, null, 2)}\n\`\`\`\n\n</details>`;
  // A probe takes no step, and its recipe holds for nothing but the weights of the classes.
  return ['## Training', lines.join('\n'), ...(probe?.isModel ? [] : [whole])].join('\n\n');
}
