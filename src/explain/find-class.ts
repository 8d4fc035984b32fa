/** The output that a person means by a label. */
import { UsageError } from '../errors.ts';
import type { ModelDescription } from '../model/description.ts';

/**
 * By label, by the data set's identifier, or, where neither fits, by number from 0.
 * @throws UsageError for none or several
 */
export function findClass(
  wanted: string | number,
  { classes, classIds }: Pick<ModelDescription, 'classes' | 'classIds'>,
): number {
  const text = String(wanted);
  const indices = (names: readonly string[] | undefined) =>
    names?.flatMap((name, index) => (name === text ? [index] : [])) ?? [];
  // A model's labels may be its identifiers.
  const named = typeof wanted === 'string' ? [...indices(classes), ...indices(classIds)] : [];
  const [first, ...others] = new Set(named);
  if (first !== undefined && others.length === 0) return first;
  if (first !== undefined)
    throw new UsageError(
      `class: '${text}' is the label of the outputs ${[first, ...others].join(', ')}; expected one of these numbers${classIds ? ' or an identifier' : ''}`,
    );
  const index = /^\d+$/.test(text) ? Number(text) : -1;
  if (index >= 0 && index < classes.length) return index;
  const some = classes.length > 20 ? [...classes.slice(0, 20), `… (${classes.length})`] : classes;
  throw new UsageError(
    `class: expected a label or the number of an output, received '${text}'; the labels are ${some.join(', ')}`,
  );
}
