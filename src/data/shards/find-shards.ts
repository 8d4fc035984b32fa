/**
 * Which shards `--data` names, and of which split each is: `train-{0000..0146}.tar`, several such parts with `::` between them, a folder of
 * `.tar` files, addresses and commands. Labels are not looked at here.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { UsageError } from '../../errors.ts';
import { DataError } from '../data-error.ts';
import type { Split } from '../dataset.ts';
import { expandGlob } from '../folders/expand-glob.ts';
import { splitNames } from '../folders/find-splits.ts';
import { countClassFolders } from '../folders/scan-folder.ts';
import { expandBraces } from './expand-braces.ts';

/** A shard by its path, its address, or the command that writes it. */
export interface Shard {
  readonly kind: 'file' | 'url' | 'pipe';
  /** A whole path, an address, or a command. */
  readonly location: string;
}

export interface FoundShards {
  /** The file of class names that is named among the shards. */
  readonly classes: string | undefined;
  /** Images of an epoch, where the list says so. */
  readonly images: number | undefined;
  /** By split; `all` where no shard says its split. */
  readonly splits: { readonly [S in Split | 'all']?: readonly Shard[] };
  /** Shards without a split, beside others that have one. */
  readonly others: readonly Shard[];
}

/** The parts of a source are divided by what WebDataset divides them by. */
const between = '::';

interface Part {
  readonly split: Split | undefined;
  readonly kind: Shard['kind'];
  readonly text: string;
  /** Images in it, as `LIST|128000`. */
  readonly images: number | undefined;
}

/** Whether a text is a list of shards, and no folder. */
export const isShardList = (source: string): boolean =>
  source.includes(between) ||
  /^((train|val|validation|test|classes)=|https?:\/\/.*\.tar\b|pipe:)|\.tar$/i.test(source);

interface Parts {
  readonly classes: string | undefined;
  readonly shards: readonly Part[];
}

function partsOf(source: string): Parts {
  const all = source.split(between);
  const isClasses = (part: string) => part.startsWith('classes=');
  const [classes, second] = all.filter(isClasses).map((part) => part.slice('classes='.length));
  if (second !== undefined)
    throw new UsageError(`--data: names two files of classes, ${classes} and ${second}`);
  const shards = all
    .filter((part) => !isClasses(part))
    .map((part): Part => {
      const [, list = '', number] = /^(.*?)(?:\|(\d{1,12}))?$/s.exec(part) ?? [];
      const [, word, rest = list] = /^(train|val|validation|test)=(.*)$/s.exec(list) ?? [];
      const split = word === 'val' ? 'validation' : (word as Split | undefined);
      const kind = rest.startsWith('pipe:') ? 'pipe' : /^https?:\/\//i.test(rest) ? 'url' : 'file';
      const text = kind === 'pipe' ? rest.slice(5).trim() : rest;
      return { split, kind, text, images: number === undefined ? undefined : Number(number) };
    });
  return { classes, shards };
}

/** The same list from any folder: its paths are whole. */
export function absoluteShards(source: string): string {
  const { classes, shards } = partsOf(source);
  return [
    ...(classes === undefined ? [] : [`classes=${resolve(classes)}`]),
    ...shards.map(({ split, kind, text, images }) => {
      const whole = kind === 'file' ? resolve(text) : kind === 'pipe' ? `pipe:${text}` : text;
      return `${split === undefined ? '' : `${split}=`}${whole}${images === undefined ? '' : `|${images}`}`;
    }),
  ].join(between);
}

/** Undefined for what is no list of shards and no folder of them. @throws DataError for shards that are not there */
export async function findShards(source: string): Promise<FoundShards | undefined> {
  if (!isShardList(source)) return findInFolder(source);
  const { classes, shards } = partsOf(source);
  const found: { shard: Shard; split: Split | undefined }[] = [];
  let images: number | undefined;
  for (const { split, kind, text, ...part } of shards) {
    if (part.images !== undefined && kind === 'file')
      throw new UsageError(`--data: |${part.images} has no effect: the images of ${text} are counted`);
    const isAny = split === undefined || split === 'train';
    if (part.images !== undefined && isAny) images = (images ?? 0) + part.images;
    for (const location of await locations(text, kind)) {
      const shard = { kind, location };
      found.push({ shard, split: split ?? splitOf(shard) });
    }
  }
  const seen = new Set<string>();
  for (const { shard } of found) {
    if (seen.has(shard.location)) throw new DataError(`${source}: names ${shard.location} twice`);
    seen.add(shard.location);
  }
  return { ...divided(found), classes, images };
}

async function locations(text: string, kind: Shard['kind']): Promise<string[]> {
  if (text === '') throw new UsageError("--data: expected a shard on each side of '::', received none");
  const expanded = expandBraces(text);
  if (!expanded) throw new UsageError(`--data: ${text} stands for more than a million shards`);
  if (kind !== 'file') return expanded;
  const paths: string[] = [];
  for (const name of expanded) {
    const isPattern = /[*?[]/.test(name) && !(await stat(name).catch(() => undefined));
    const matches = isPattern ? await expandGlob(name) : [name];
    if (matches.length === 0) throw new DataError(`${name}: no shard matches`);
    paths.push(...matches.map((match) => resolve(match)));
  }
  return paths;
}

/** A folder with `.tar` files, in it or in folders of splits, that is no folder of class folders. */
async function findInFolder(folder: string): Promise<FoundShards | undefined> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const tars = await tarsIn(folder);
  const splitFolders = entries
    .filter(({ name }) => Object.values(splitNames).flat().includes(name.toLowerCase()))
    .map(({ name }) => join(folder, name));
  const inFolders = (await Promise.all(splitFolders.map(tarsIn))).flat();
  const paths = [...tars, ...inFolders].map((path) => resolve(path));
  if (paths.length === 0) return undefined;
  // ImageNet's archives often lie beside the folders that they were unpacked to.
  for (const each of [folder, ...splitFolders])
    if ((await countClassFolders(each, { atMost: 1 }).catch(() => 0)) > 0) return undefined;
  const shards = paths.map((location) => {
    const shard: Shard = { kind: 'file', location };
    return { shard, split: splitOf(shard) };
  });
  return { ...divided(shards), classes: undefined, images: undefined };
}

async function tarsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => /\.tar$/i.test(name) && !name.startsWith('.'))
    .sort()
    .map((name) => join(folder, name));
}

function divided(
  found: readonly { shard: Shard; split: Split | undefined }[],
): Pick<FoundShards, 'splits' | 'others'> {
  const splits: { [S in Split | 'all']?: Shard[] } = {};
  const others: Shard[] = [];
  // Shards of one split alone are what somebody chose, as one folder of a data set.
  const isDivided = new Set(found.map(({ split }) => split)).size > 1;
  for (const { shard, split } of found) {
    const key = isDivided ? split : 'all';
    const list = key === undefined ? others : splits[key];
    if (list) list.push(shard);
    else if (key) splits[key] = [shard];
  }
  return { splits, others };
}

const splitByWord = new Map(
  (Object.entries(splitNames) as [Split, readonly string[]][]).flatMap(([split, names]) =>
    names.map((name) => [name, split] as const),
  ),
);

/** By a word of its file's name, `imagenet-train-0001.tar`, else by its folder's name. */
function splitOf({ kind, location }: Shard): Split | undefined {
  // Of a command, by the first name of an archive in it.
  const path =
    kind === 'pipe' ? (/[^\s'"]+\.tar\b/i.exec(location)?.[0] ?? '') : (location.split(/[?#]/)[0] ?? '');
  const words = basename(path)
    .toLowerCase()
    .split(/[-_.]+/);
  return [...words, basename(dirname(path)).toLowerCase()].flatMap((word) => splitByWord.get(word) ?? [])[0];
}

export const isSplitFolder = (path: string): boolean => splitByWord.has(basename(path).toLowerCase());

/** The folder that holds all of some paths. */
export function commonFolder(paths: readonly string[]): string {
  let folder = dirname(paths[0] ?? '.');
  for (const path of paths)
    while (!path.startsWith(folder.endsWith(sep) ? folder : folder + sep)) folder = dirname(folder);
  return folder;
}

/** Many names as one: what they begin and end with, `shards/train-*.tar`. */
export function describeLocations(shards: readonly Shard[]): string {
  const [first = '', ...rest] = shards.map(({ location }) => location);
  if (rest.length === 0) return first;
  let begin = first.length;
  for (const each of rest) while (!each.startsWith(first.slice(0, begin))) begin--;
  let end = Math.min(first.length - begin, ...rest.map((each) => each.length - begin));
  for (const each of rest) while (!each.endsWith(first.slice(first.length - end))) end--;
  return `${first.slice(0, begin)}*${first.slice(first.length - end)}`;
}
