/**
 * Members of a shard as samples: files that stand together and have the same key, which is their path up to the first dot of the base name;
 * the rest, in lower case, says what a file is (WebDataset's convention). Pure.
 */
import { imageExtensions } from '../decode.ts';

export interface SampleName {
  /** `cat/1` of `cat/1.jpg`. */
  readonly key: string;
  /** `jpg`. */
  readonly field: string;
}

/** Undefined for a name without a key or an ending: `.hidden`, `README`. */
export function sampleName(member: string): SampleName | undefined {
  const match = /^((?:.*\/|)[^./]+)[.]([^/]*)$/.exec(member);
  return match ? { key: match[1] as string, field: (match[2] as string).toLowerCase() } : undefined;
}

/** The fields that are images: those whose ending is read in a folder. */
export const imageFields: readonly string[] = imageExtensions.map((ending) => ending.slice(1));

/** The fields that a label is taken from, the first that holds one. */
export const labelFields = ['cls', 'json', 'txt'] as const;

export type LabelField = (typeof labelFields)[number];

export const isLabelField = (field: string): field is LabelField =>
  (labelFields as readonly string[]).includes(field);

/**
 * A text that sorts paths as a folder of these files is listed: by name, the files of a folder before its sub-folders. So a folder and
 * shards made of it, however they are cut, are one data set in one order.
 */
export const sortText = (path: string): string =>
  path
    .split('/')
    .map((name, at, { length }) => (at === length - 1 ? '0' : '1') + name)
    .join('\0');
