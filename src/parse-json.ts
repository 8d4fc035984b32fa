/** Values from outside, held to a zod schema, with every key that does not fit named. */
import type { z } from 'zod';
import type { InceptionError } from './errors.ts';

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Issues as one line: `recipe.epochs: Invalid input; top level: …`. `root` stands where the whole value does not fit. */
export const describeIssues = (
  issues: readonly Issue[],
  { root = 'top level', limit = issues.length }: { root?: string; limit?: number } = {},
): string =>
  issues
    .slice(0, limit)
    .map(({ path, message }) => `${path.join('.') || root}: ${message}`)
    .join('; ');

export interface JsonFile<T> {
  readonly schema: z.ZodType<T>;
  /** Where the text is from, for messages. */
  readonly path: string;
  readonly Failure: new (message: string, options?: ErrorOptions) => InceptionError;
}

/** Reads a text of JSON strictly. @throws Failure naming the file and every key that does not fit. */
export function parseJson<T>(text: string, { schema, path, Failure }: JsonFile<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Failure(`${path}: not JSON (${(error as Error).message})`, { cause: error });
  }
  const result = schema.safeParse(value);
  if (!result.success) throw new Failure(`${path}: ${describeIssues(result.error.issues)}`);
  return result.data;
}
