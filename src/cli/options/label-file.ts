/** Reads a file of labels: one per line, or a JSON list. */
import { readFile } from 'node:fs/promises';
import { UsageError } from '../../errors.ts';

/** Help of --model-labels, in every command that has it. */
export const modelLabels = 'labels of the outputs: a file with one per line, or a JSON list';

export async function readLabelFile(path: string, option: string): Promise<string[]> {
  const text = await readFile(path, 'utf8');
  if (!text.trimStart().startsWith('['))
    return text
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter((line) => line !== '');
  try {
    const labels: unknown = JSON.parse(text);
    if (Array.isArray(labels) && labels.every((label) => typeof label === 'string')) return labels;
  } catch {
    // Reported below.
  }
  throw new UsageError(`${option}: ${path} is not a JSON list of strings`);
}
