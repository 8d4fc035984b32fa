/**
 * A model card: README.md with YAML at its head, in the form of the hub and of timm's cards
 * (https://huggingface.co/docs/hub/model-cards). It says what is recorded of the model, and nothing else. Pure.
 */
import { costsOf } from '../../graph/costs.ts';
import { formatShape } from '../../graph/graph.ts';
import { describeProtocol } from '../../images/preprocess.ts';
import { graphOf, type ModelDescription } from '../../model/description.ts';
import { cell, code, sentence, yaml } from './card-text.ts';
import { type Measurement, type RunFacts, runSections } from './run-sections.ts';

/** A library that opens the files beside a card. */
export interface CardLibrary {
  /** Its name on the hub. */
  readonly name: string;
  /** Markdown that says how, from a repository of the hub or from the card's folder. */
  readonly usage: (repository: string | undefined) => string;
}

/** What a card is about. */
export interface CardFacts {
  readonly description: ModelDescription;
  /** What the run that made it has recorded, if a run did. */
  readonly run?: RunFacts | undefined;
  /** Whose files stand beside the card. Default: this package's. */
  readonly library?: CardLibrary | undefined;
  /** Where it can be had: `owner/name` on the hub, or a file or folder. */
  readonly repository?: string | undefined;
  /** An identifier of the hub, such as `mit`. Default `unknown`. */
  readonly license?: string | undefined;
}

/** The card's text. */
export function modelCard(facts: CardFacts): string {
  const { description, run, library, repository } = facts;
  const { network, classes } = description;
  const name = repository?.split('/').at(-1) ?? run?.name ?? network;
  const sections = [
    `# Model card for ${cell(name)}`,
    classes.length === 0
      ? `${code(network)} without a classifier: its outputs are features of an image.`
      : `${code(network)} that tells ${classes.length} classes of images apart.`,
    details(facts),
    ...(run ? runSections(run, description) : ['## Results\n\nNo measurement is recorded with this model.']),
    usage(facts),
  ];
  return `${frontMatter(facts, name)}\n${sections.join('\n\n')}\n\n${origin(library)}\n`;
}

const origin = (library: CardLibrary | undefined): string =>
  `This card was written by [inception-networks](https://www.npmjs.com/package/inception-networks) from what is recorded ${library ? 'of the model' : 'in its run and its file'}.`;

/** The identifiers of data sets on the hub; a folder has none. */
const hubDatasets: Readonly<Record<string, string>> = { 'fashion-mnist': 'fashion_mnist' };

function frontMatter({ description, run, library, license = 'unknown' }: CardFacts, name: string): string {
  const libraryName = library?.name ?? 'inception-networks';
  const dataset = hubDatasets[description.data ?? ''];
  const base = /^hub:([^@]+)/.exec(run?.configuration.weights?.source ?? '')?.[1];
  const lines = [
    'tags:',
    '- image-classification',
    `- ${libraryName}`,
    `library_name: ${libraryName}`,
    'pipeline_tag: image-classification',
    `license: ${yaml(license)}`,
    ...(dataset ? ['datasets:', `- ${dataset}`] : []),
    ...(base ? [`base_model: ${yaml(base)}`] : []),
    ...(run && run.measured.length > 0 ? modelIndex(run, { name, dataset }) : []),
  ];
  return ['---', ...lines, '---', ''].join('\n');
}

/** The measured figures in the form that the hub shows: https://huggingface.co/docs/hub/model-cards#evaluation-results */
function modelIndex(
  run: RunFacts,
  { name, dataset }: { name: string; dataset: string | undefined },
): string[] {
  const resultOf = ({ split, top1Error }: Measurement) => [
    '  - task:',
    '      type: image-classification',
    '    dataset:',
    `      name: ${yaml(run.dataName)}`,
    `      type: ${dataset ?? 'imagefolder'}`,
    `      split: ${split}`,
    '    metrics:',
    '    - type: accuracy',
    `      value: ${Number((1 - top1Error).toFixed(6))}`,
  ];
  return ['model-index:', `- name: ${yaml(name)}`, '  results:', ...run.measured.flatMap(resultOf)];
}

function details({ description, run }: CardFacts): string {
  const { network, preprocessing, classes, source, decisions = [] } = description;
  const { parameters, macs } = costsOf(graphOf(description));
  const [height, width] = preprocessing.size;
  const started = run?.configuration.weights;
  const lines = [
    `- **Model type:** image classification, ${code(network)}`,
    `- **Parameters:** ${(parameters / 1e6).toFixed(1)} M`,
    `- **Multiply-adds:** ${(macs / 1e9).toFixed(2)} G for an image of ${formatShape([height, width])}`,
    `- **Input:** ${describeProtocol(preprocessing)}`,
    ...(classes.length > 0 ? [`- **Classes (${classes.length}):** ${listOf(classes)}`] : []),
    ...(source !== undefined ? [`- **Weights from:** ${code(publicName(source))}`] : []),
    ...(started
      ? [
          `- **Weights it started from:** ${code(publicName(started.source))} (SHA-256 of the values ${code(started.sha256)}); ${started.kept.length} classes kept, ${started.reinitialised.length} new`,
        ]
      : run
        ? ['- **Weights it started from:** random ones']
        : []),
    ...decisions.map((decision) => `- ${sentence(decision)}`),
  ];
  return `## Model details\n\n${lines.join('\n')}`;
}

const shownClasses = 50;

const listOf = (classes: readonly string[]): string =>
  `${classes.slice(0, shownClasses).map(cell).join(', ')}${classes.length > shownClasses ? `, and ${classes.length - shownClasses} more` : ''}`;

/** A card is made to be published: of paths of a machine it has the last part. */
export const publicName = (source: string): string =>
  source.startsWith('hub:') ? source : (source.split(/[\\/]/).findLast((part) => part !== '') ?? source);

function usage({ description, library, repository }: CardFacts): string {
  const model = repository === undefined ? '.' : `hub:${repository}`;
  const call =
    description.classes.length === 0
      ? [
          `const engine = openTorch();`,
          `const model = await loadModel('${model}', { engine });`,
          `const { data } = await model.embed(images); // bytes [n, ${description.preprocessing.size.join(', ')}, 3]`,
          'await engine.close();',
        ]
      : [
          `const classifier = await loadClassifier('${model}');`,
          `const [best] = await classifier.classify('image.jpg');`,
          'console.log(best.label, best.probability);',
          'await classifier.close();',
        ];
  const names = description.classes.length === 0 ? 'loadModel, openTorch' : 'loadClassifier';
  const ours = `## How to use\n\n\`\`\`ts\nimport { ${names} } from 'inception-networks';\n${call.join('\n')}\n\`\`\``;
  return library ? `${ours}\n\n${library.usage(repository)}` : ours;
}
