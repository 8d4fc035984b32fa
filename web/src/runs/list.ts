/** The list of runs as data: columns, filter, order, groups of runs that differ by their seed alone. */
import type { RunList, RunSummary } from '../../../src/dashboard/api.ts';
import { duration, percent } from '../format.ts';

export interface Column {
  readonly key: string;
  readonly title: string;
  readonly numeric?: true;
  /** What the cell says. */
  readonly text: (run: RunSummary) => string;
  /** What it is sorted by; undefined sorts last in either direction. */
  readonly value: (run: RunSummary) => number | string | undefined;
}

export const statusOf = ({ training, epoch, epochs }: RunSummary): string =>
  training ? 'training' : epoch >= epochs ? 'finished' : 'stopped';

/** `inception-v4, width 0.5, 75 pixels` */
export function describeNetwork({ network, options: { width, inputSize } }: RunSummary): string {
  return [
    network,
    width !== undefined && `width ${width}`,
    inputSize !== undefined && `${[inputSize].flat().join('×')} pixels`,
  ]
    .filter(Boolean)
    .join(', ');
}

const errorText = (line: { readonly top1Error: number } | undefined) =>
  line ? percent(line.top1Error) : '–';
const same = (key: string, title: string, text: (run: RunSummary) => string): Column => ({
  key,
  title,
  text,
  value: text,
});

const metricColumns: readonly Column[] = [
  same('status', 'Status', statusOf),
  {
    key: 'epochs',
    title: 'Epochs',
    numeric: true,
    text: ({ epoch, epochs }) => `${epoch.toFixed(1)} of ${epochs}`,
    value: ({ epoch }) => epoch,
  },
  {
    key: 'validation',
    title: 'Validation error',
    numeric: true,
    text: ({ evaluation }) => errorText(evaluation),
    value: ({ evaluation }) => evaluation?.top1Error,
  },
  {
    key: 'test',
    title: 'Test error',
    numeric: true,
    text: ({ test }) => errorText(test),
    value: ({ test }) => test?.top1Error,
  },
  same('network', 'Network', describeNetwork),
  same('data', 'Data', ({ data }) => data),
  {
    key: 'time',
    title: 'Training time',
    numeric: true,
    text: ({ elapsedSeconds }) => duration(elapsedSeconds),
    value: ({ elapsedSeconds }) => elapsedSeconds,
  },
  {
    key: 'seed',
    title: 'Seed',
    numeric: true,
    text: ({ seed }) => String(seed),
    value: ({ seed }) => seed,
  },
];

export const usualColumns = ['status', 'epochs', 'validation', 'test', 'network', 'data'];

const settingColumn = (key: string): Column => ({
  key,
  title: key,
  text: ({ settings }) => settings[key] ?? '–',
  value: ({ settings }) => {
    const text = settings[key];
    return text !== undefined && Number.isFinite(Number(text)) ? Number(text) : text;
  },
});

/** All that can be chosen: metrics, then hyper-parameters, those that differ between the runs first. */
export function columnsOf(runs: readonly RunSummary[]): readonly Column[] {
  const values = new Map<string, Set<string>>();
  for (const { settings } of runs)
    for (const [key, value] of Object.entries(settings)) {
      const seen = values.get(key);
      if (seen) seen.add(value);
      else values.set(key, new Set([value]));
    }
  // The epochs of the recipe are in the column of that name already.
  const keys = [...values.keys()].filter((key) => metricColumns.every((column) => column.key !== key)).sort();
  const differs = (key: string) => (values.get(key)?.size ?? 0) > 1;
  return [
    ...metricColumns,
    ...[...keys.filter(differs), ...keys.filter((key) => !differs(key))].map(settingColumn),
  ];
}

/** Every word must occur in the run's name, status, network, data, tags as `tag=name`, or a setting as `name=value`. */
export function filterRuns(runs: readonly RunSummary[], filter: string): readonly RunSummary[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return runs;
  return runs.filter((run) => {
    const settings = Object.entries(run.settings).map(([key, value]) => `${key}=${value}`);
    const tags = run.tags.map((tag) => `tag=${tag}`);
    const text = [
      run.id,
      statusOf(run),
      describeNetwork(run),
      run.data,
      `seed=${run.seed}`,
      ...tags,
      ...settings,
    ]
      .join('\n')
      .toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** @param order `test`, or `-test` for the largest first. Runs without a value are last. */
export function sortRuns(
  runs: readonly RunSummary[],
  order: string,
  columns: readonly Column[],
): readonly RunSummary[] {
  const key = order.replace(/^-/, '');
  const value =
    key === 'run' ? ({ id }: RunSummary) => id : columns.find((column) => column.key === key)?.value;
  if (!value) return runs;
  const sign = order.startsWith('-') ? -1 : 1;
  return runs.toSorted((a, b) => {
    const [left, right] = [value(a), value(b)];
    if (left === undefined || right === undefined) return left === right ? 0 : left === undefined ? 1 : -1;
    if (typeof left === 'number' && typeof right === 'number') return sign * (left - right);
    return sign * String(left).localeCompare(String(right), 'en', { numeric: true });
  });
}

/** Of a training of an experiment, `EXPERIMENT/ARM-seedN`. */
export function armOf({ id }: { readonly id: string }) {
  const [experiment = '', training] = id.split('/');
  return training === undefined ? undefined : { experiment, arm: training.replace(/-seed\d+$/, '') };
}

/** What a line of the list is: an arm of an experiment, else a run; the same, but runs that differ by their seed alone together; a run. */
const groupings = {
  arms: 'arm of an experiment',
  seed: 'configuration without seed',
  none: 'nothing',
} as const;
export type Grouping = keyof typeof groupings;

/** What the list offers: without experiments there are no arms, and a line is a run. */
export const groupingsOf = (list: Pick<RunList, 'experiments'>): readonly (readonly [Grouping, string])[] =>
  list.experiments.length > 0
    ? (Object.entries(groupings) as [Grouping, string][])
    : [
        ['arms', groupings.none],
        ['seed', groupings.seed],
      ];

/** Of the address; arms of experiments are together unless it says otherwise. */
export const groupingOf = (text: string | null): Grouping =>
  text === 'seed' || text === 'none' ? text : 'arms';

/** In the order of their first. */
export function groupRuns(
  runs: readonly RunSummary[],
  grouping: Grouping,
): readonly (readonly RunSummary[])[] {
  const groups = new Map<string, RunSummary[]>();
  for (const run of runs) {
    const key = groupKey(run, grouping);
    const group = groups.get(key);
    if (group) group.push(run);
    else groups.set(key, [run]);
  }
  return [...groups.values()];
}

function groupKey(run: RunSummary, grouping: Grouping): string {
  const arm = grouping === 'none' ? undefined : armOf(run);
  if (arm) return JSON.stringify(arm);
  if (grouping !== 'seed') return run.id;
  return JSON.stringify([run.network, run.data, Object.entries(run.settings).sort()]);
}

/** Lines of the same experiment stand together, where the first of them stands. */
export function bundleExperiments(
  groups: readonly (readonly RunSummary[])[],
): readonly (readonly RunSummary[])[] {
  const bundles = new Map<string, (readonly RunSummary[])[]>();
  for (const group of groups) {
    const [first] = group as [RunSummary];
    const key = armOf(first)?.experiment ?? `/${first.id}`;
    bundles.set(key, [...(bundles.get(key) ?? []), group]);
  }
  return [...bundles.values()].flat();
}

/** What a chart calls the curves of a group. */
export function nameOfGroup(ids: readonly string[]): string {
  const [first] = ids as [string];
  if (ids.length === 1) return first;
  const arms = new Set(ids.map((id) => JSON.stringify(armOf({ id }))));
  const arm = armOf({ id: first });
  return arm && arms.size === 1
    ? `mean of ${ids.length} of ${arm.experiment}/${arm.arm}`
    : `mean of ${ids.length} as ${first}`;
}

/** The most recently changed runs, each with the other seeds of its arm. */
export const latestRuns = (
  runs: readonly RunSummary[],
  { count, grouping }: { readonly count: number; readonly grouping: Grouping },
): readonly RunSummary[] =>
  grouping === 'arms' ? groupRuns(runs, grouping).slice(0, count).flat() : runs.slice(0, count);

/** Mean and sample standard deviation; the latter is undefined for one value. */
export function meanOf(values: readonly number[]): { mean: number; deviation: number | undefined } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : undefined };
}

/** The cell of a group: mean ± standard deviation of the errors and the time, and what its runs have in common of the rest. */
export function groupText(group: readonly RunSummary[], column: Column): string {
  const [first] = group as [RunSummary];
  if (group.length === 1) return column.text(first);
  if (column.key === 'validation' || column.key === 'test') {
    const values = group.map(column.value).filter((value) => typeof value === 'number');
    if (values.length === 0) return '–';
    const { mean, deviation } = meanOf(values);
    const part = values.length < group.length ? ` (${values.length} of ${group.length} runs)` : '';
    return `${(mean * 100).toFixed(2)}${deviation === undefined ? '' : ` ± ${(deviation * 100).toFixed(2)}`}%${part}`;
  }
  if (column.key === 'time')
    return `${duration(meanOf(group.map(({ elapsedSeconds }) => elapsedSeconds)).mean)} on average`;
  const texts = [...new Set(group.map(column.text))];
  return texts.length <= 3 ? texts.join(', ') : `${texts.length} different`;
}
