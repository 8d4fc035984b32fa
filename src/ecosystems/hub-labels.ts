/** The labels of a config.json on the hub: a list, or an object by index. */
import { z } from 'zod';
import { ModelError } from '../model/description.ts';
import { quoted } from '../printable.ts';

export const labelsSchema = z.union([z.array(z.string()), z.record(z.string(), z.string())]);

type Labels = z.infer<typeof labelsSchema>;

/**
 * The labels in the order of the outputs. timm writes an object where its data set leaves indices out; an output without a label
 * is called `class 7`.
 * @throws ModelError if a key is not the index of an output.
 */
export function listLabels(
  labels: Labels,
  { path, classes }: { path: string; classes: number | undefined },
): { names: readonly string[]; decisions: readonly string[] } {
  if (Array.isArray(labels)) return { names: labels, decisions: [] };
  const keys = Object.keys(labels);
  const count = classes ?? keys.reduce((most, key) => Math.max(most, Number(key) + 1), 0);
  const wrong = keys.find((key) => !/^(0|[1-9]\d{0,5})$/.test(key) || Number(key) >= count);
  if (wrong !== undefined)
    throw new ModelError(
      `${path}: label_names: expected the index of one of ${count} outputs, received ${quoted(wrong)}`,
    );
  const byIndex = new Map(Object.entries(labels));
  const names = Array.from({ length: count }, (_, index) => byIndex.get(String(index)) ?? `class ${index}`);
  const gaps = count - keys.length;
  return {
    names,
    decisions: gaps === 0 ? [] : [`${gaps} of ${count} outputs have no label and are called 'class N'`],
  };
}
