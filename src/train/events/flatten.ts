/** Metrics and configurations as flat names and values: `blocks/inceptionResnetA/0/zeroShare`. Pure. */
import type { Configuration } from '../configuration/configuration.ts';
import type { Metrics } from '../run/records.ts';
import type { HyperparameterValue } from './event-messages.ts';

export type FlatValue = number | string | boolean;

/** Every value of a line of metrics.jsonl by its path; what is null is left out. */
export function flattenMetrics(line: Metrics): Readonly<Record<string, FlatValue>> {
  const { blocks, ...rest } = line as Metrics & { readonly blocks?: readonly { readonly block: string }[] };
  // Blocks have names, which say more than their places.
  const named = blocks && Object.fromEntries(blocks.map(({ block, ...values }) => [block, values]));
  return flatten({ ...rest, ...(named && { blocks: named }) }, '/');
}

/** The numbers of a line by their tags: `evaluation/top1Error`. */
export function scalarsOf(line: Metrics): Readonly<Record<string, number>> {
  const { kind, step: _, ...values } = flattenMetrics(line);
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      typeof value === 'number' ? [[`${kind}/${name}`, value]] : [],
    ),
  );
}

/** What was chosen for a run: network, its options, recipe, precision, seed, replicas. */
export function hyperparametersOf(
  configuration: Configuration,
): Readonly<Record<string, HyperparameterValue>> {
  const { network, options, recipe, precision, seed } = configuration;
  return { network, precision, seed, ...flatten({ options, recipe }, '.') };
}

function flatten(value: object, separator: string, path = ''): Record<string, FlatValue> {
  return Object.assign(
    {},
    ...Object.entries(value).map(([key, each]) => {
      const name = path === '' ? key : `${path}${separator}${key}`;
      if (each === null || each === undefined) return {};
      if (Array.isArray(each)) return { [name]: each.join(',') };
      return typeof each === 'object' ? flatten(each, separator, name) : { [name]: each };
    }),
  );
}
