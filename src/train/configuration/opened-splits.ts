/**
 * The splits that a configuration was made of, so that one start opens them once: for ten thousand files that takes seconds, and a start
 * has up to five uses for them. A configuration that is read from a file has none, and its data are opened and compared.
 */
import type { Splits } from '../../data/splits/open-splits.ts';
import type { Configuration } from './configuration.ts';

type Files = NonNullable<Configuration['files']>;

const opened = new WeakMap<Files, Splits>();

/** The record of the files, which copies of its configuration share. */
export function remember(files: Files, splits: Splits): Files {
  // A stream is opened anew by each who reads it.
  if (!splits.train.stream) opened.set(files, splits);
  return files;
}

export const rememberedSplits = ({ files }: Pick<Configuration, 'files'>): Splits | undefined =>
  files && opened.get(files);
