/** docs/parity.md, written from what the parity tests have measured; only when PARITY_PAGE names the file. */
import { writeFile } from 'node:fs/promises';
import { type GoldenModel, goldenModels, readExpected } from './fixture.ts';

interface Measurement {
  readonly model: GoldenModel;
  readonly what: string;
  readonly measured: number;
  readonly within: number;
}

const measurements: Measurement[] = [];

export const record = (measurement: Measurement): void => {
  measurements.push(measurement);
};

/** Columns, by the words of tolerances.json. */
const columns: readonly (readonly [heading: string, what: readonly string[]])[] = [
  ['logits', ['eval logits (abs)', 'eval embedding (abs)']],
  ['any stage', ['eval any stage value (abs)']],
  ['auxiliary logits', ['eval aux_logits (abs)']],
  ['logits in bfloat16', ['eval logits in bfloat16 (relative L2)']],
  ['gradient norms, frozen', ['gradients_frozen_bn, L2 norms (relative)']],
  ['training logits', ['train logits (abs)']],
  ['training loss', ['train losses (abs)']],
  [
    'gradient norms, training',
    ['train gradients, L2 norms (relative)', 'train_batch4 gradients, L2 norms (relative)'],
  ],
  ['gradient norms, early stage', ['train gradients_shallow, L2 norms (relative)']],
];

const cell = (model: GoldenModel, what: readonly string[]): string => {
  const found = measurements.find((each) => each.model === model && what.includes(each.what));
  if (!found) return '–';
  const percent = /relative/.test(found.what);
  const show = (value: number) => (percent ? `${+(value * 100).toPrecision(2)}%` : value.toExponential(1));
  return `${show(found.measured)} (${show(found.within)})`;
};

export async function writeParityPage(libtorch: string): Promise<void> {
  const path = process.env.PARITY_PAGE;
  if (path === undefined) return;
  const models = Object.keys(goldenModels) as GoldenModel[];
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const table = [
    row(['weights', 'network', ...columns.map(([heading]) => heading)]),
    row(Array.from({ length: columns.length + 2 }, () => '---')),
    ...models.map((model) => {
      const [dialect, network] = goldenModels[model];
      return row([dialect, network, ...columns.map(([, what]) => cell(model, what))]);
    }),
  ];
  const sources = models.map((model) => `- \`${model}\`: ${readExpected(model).source}`);
  await writeFile(
    path,
    `# The very same numbers

Largest differences between this project (float32 unless a column says otherwise, libtorch ${libtorch}, CPU) and the float64
numbers of the other implementations with the same reproducible weights and images; in brackets what the tests allow. Random
weights make deep training steps chaotic, so the tolerances differ by network: \`test/fixtures/README.md\` says how each was
measured. Logits have a standard deviation of 0.5 to 2.7; the smallest typical bug moves them by 0.016 and more.

\`npm run parity\` measures and writes this page.

${table.join('\n')}

The other implementations:

${sources.join('\n')}
`,
  );
}
