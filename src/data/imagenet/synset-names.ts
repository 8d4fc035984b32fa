/** The names of ImageNet's synsets, from the lists that come with it. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../data-error.ts';
import { modelLabelsIn } from '../labels/model-labels.ts';
import { linesOf, readText } from '../labels/read-text.ts';

export const isSynset = (name: string): boolean => /^n\d{8}$/.test(name);

/** In the order in which they are looked for; `words.txt` has all of WordNet. */
export const nameLists: readonly string[] = [
  'LOC_synset_mapping.txt',
  'synset_words.txt',
  'imagenet_class_index.json',
  'imagenet_lsvrc_2015_synsets.txt',
  'imagenet_metadata.txt',
  'words.txt',
];

export interface SynsetNames {
  readonly path: string;
  /** In the order of the list; without names, the synset itself. */
  readonly names: ReadonlyMap<string, string>;
}

/** The first list in the first of the folders that has one. @throws DataError for a list that is none */
export async function findSynsetNames(
  folders: readonly string[],
  lists = nameLists,
): Promise<SynsetNames | undefined> {
  for (const folder of folders)
    for (const list of lists) {
      const path = join(folder, list);
      if (await stat(path).catch(() => undefined))
        return { path, names: synsetsIn(await readText(path), path) };
    }
  return undefined;
}

/** `n01440764 tench, Tinca tinca`, a synset alone, or Keras's `{"0": ["n01440764", "tench"]}`. @throws DataError */
export function synsetsIn(text: string, path: string): ReadonlyMap<string, string> {
  if (path.endsWith('.json')) {
    const { classes, classIds = [] } = modelLabelsIn(text, path);
    if (!classIds.every(isSynset) || classIds.length === 0)
      throw new DataError(
        `${path}: expected synsets with their names, such as {"0": ["n01440764", "tench"]}`,
      );
    return new Map(classIds.map((id, index) => [id, classes[index] as string]));
  }
  return new Map(
    linesOf(text).map((line, index) => {
      const [, synset, name] = /^(n\d{8})(?:[\s,:]+(\S.*))?$/.exec(line) ?? [];
      if (synset === undefined)
        throw new DataError(
          `${path}: line ${index + 1}: expected a synset and its name, such as 'n01440764 tench', received '${line.slice(0, 80)}'`,
        );
      return [synset, name ?? synset] as const;
    }),
  );
}
