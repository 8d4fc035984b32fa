/** Writes a card beside a model, and leaves one alone that a person has edited. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runFiles } from '../../model/run-layout.ts';
import { replaceText } from '../../replace-file.ts';
import { type CardFacts, modelCard } from './model-card.ts';
import { readRunFacts } from './read-run-facts.ts';

/**
 * Writes README.md into a folder.
 * @returns its path; undefined if there is one that is not as it was written, and which therefore stays.
 */
export async function writeCard(folder: string, facts: CardFacts): Promise<string | undefined> {
  const path = join(folder, runFiles.card);
  const before = await readFile(path, 'utf8').catch(() => undefined);
  if (before !== undefined && !isUntouched(before)) return undefined;
  await replaceText(path, sealed(modelCard(facts)));
  return path;
}

/** Writes the card of a run's model. @returns as `writeCard` */
export async function writeRunCard(folder: string): Promise<string | undefined> {
  const run = await readRunFacts(folder);
  return writeCard(folder, { description: run.configuration, run });
}

/** Writes the card of a run that has its model: without a card it is a run all the same. */
export async function addRunCard(
  folder: string,
  { onNotice, onWarning }: Readonly<Record<'onNotice' | 'onWarning', (line: string) => void>>,
): Promise<void> {
  try {
    if ((await writeRunCard(folder)) === undefined)
      onNotice(`${join(folder, runFiles.card)} has been edited and stays as it is`);
  } catch (error) {
    onWarning(`${folder}: no model card was written: ${(error as Error).message}`);
  }
}

const seal =
  /\n<!-- as written, sha256 ([0-9a-f]{64}); a card that has been edited is not written over -->\n$/;
const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

export const sealed = (text: string): string =>
  `${text}\n<!-- as written, sha256 ${hashOf(text)}; a card that has been edited is not written over -->\n`;

/** Whether a card is as it was written. */
export function isUntouched(text: string): boolean {
  const [whole = '', hash] = seal.exec(text) ?? [];
  return hash !== undefined && hash === hashOf(text.slice(0, text.length - whole.length));
}
