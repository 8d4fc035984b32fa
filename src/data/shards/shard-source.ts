/** Shards as a form of data sets: local ones, whose index makes each image a read at its place. */
import { basename, dirname, join, relative } from 'node:path';
import { quoted } from '../../printable.ts';
import { DataError } from '../data-error.ts';
import { addUpLeftOut, countOf } from '../data-report.ts';
import type { DataReport, Dataset, LeftOut, Split } from '../dataset.ts';
import { readModelLabels } from '../labels/model-labels.ts';
import type { OpenOptions, Source } from '../sources/source.ts';
import { type Fingerprint, ofEncoded } from '../splits/identical-files.ts';
import {
  commonFolder,
  describeLocations,
  type FoundShards,
  findShards,
  isSplitFolder,
  type Shard,
} from './find-shards.ts';
import { openIndex } from './open-index.ts';
import { labelFields } from './samples.ts';
import { type ClassNames, classesOf, readClassNames, type ShardClasses } from './shard-classes.ts';
import { ShardError } from './shard-error.ts';
import { type IndexedFolder, rowsOf, type ShardedImage, shardImages } from './shard-images.ts';
import { type IndexedShard, pathAt } from './shard-index.ts';
import { openStream } from './streams/open-stream.ts';

/** Undefined for what is neither a list of shards nor a folder of them. @throws DataError, ShardError */
export async function shardSource(source: string): Promise<Source | undefined> {
  const found = await findShards(source);
  if (!found) return undefined;
  const { splits, others } = found;
  let opened: Promise<OpenedShards> | undefined;
  let isTold = false;
  const shardsOf = (split: Split | 'all') => splits[split] ?? [];
  return {
    kind: 'tar shards',
    name: source,
    splits: (['train', 'validation', 'test'] as const).filter((split) => splits[split] !== undefined),
    nameOf: (split) => describeLocations(shardsOf(split)),
    expected: (split) =>
      `shards with '${split === 'validation' ? 'val' : split}' in their names, or ${split === 'validation' ? 'val' : split}=SHARDS`,
    async open(split, options) {
      const streamed = splits[split]?.some(({ kind }) => kind !== 'file');
      if (streamed) {
        if (!options.mayStream)
          throw new DataError(
            `${describeLocations(shardsOf(split))}: shards that are not files can only be trained on; download them, or give other images`,
          );
        return openStream(source, { ...found, shards: shardsOf(split), onNotice: options.onNotice });
      }
      opened ??= openShards(source, withoutStreams(found), options.onNotice);
      const set = await opened;
      const dataset = openSplit(set, { shards: shardsOf(split), options });
      if (isTold) return dataset;
      isTold = true;
      const { leftOut = [], decisions = [] } = dataset.report ?? {};
      return { ...dataset, report: { leftOut, decisions: [...set.decisions, ...decisions] } };
    },
    report: {
      leftOut: leftOutOf(
        'shards beside those of the splits',
        others.map(({ location }) => location),
      ),
      decisions: [],
    },
    fingerprints,
  };
}

/** What lies in files. Of a stream's classes nothing is known here: those of the training are matched by name. */
const withoutStreams = ({ splits, ...found }: FoundShards): FoundShards => ({
  ...found,
  splits: Object.fromEntries(
    Object.entries(splits).filter(([, shards]) => shards.every(({ kind }) => kind === 'file')),
  ),
});

/** Length and last bytes are in the index; whole contents are read only where these are equal. */
function fingerprints(dataset: Dataset): readonly Fingerprint[] {
  const content = ofEncoded(dataset).at(-1) as Fingerprint;
  return [
    async (index) => {
      const image = (await dataset.encoded?.(index)) as ShardedImage | undefined;
      return image && `${image.length} ${image.tail}`;
    },
    content,
  ];
}

const leftOutOf = (what: string, names: readonly string[]): LeftOut[] =>
  names.length === 0 ? [] : [{ what, count: names.length, examples: names.slice(0, 3) }];

/** All images of shards, labelled or not, as a data set without labels. @throws DataError, ShardError */
export async function openAnyShards(source: string): Promise<Dataset> {
  const found = (await findShards(source)) as FoundShards;
  const { root, folders, decisions } = await openFolders(found);
  const shards = [...Object.values(found.splits).flat(), ...found.others];
  return shardImages(folders, {
    name: source,
    root,
    shards: new Set(shards.map(({ location }) => location)),
    classes: [],
    classOf: new Map(),
    isLabelled: false,
    report: { leftOut: [], decisions },
  });
}

/** All shards of a source: their splits have the same classes. */
interface OpenedShards extends ShardClasses {
  readonly source: string;
  readonly root: string;
  readonly folders: readonly IndexedFolder[];
}

async function openShards(
  source: string,
  found: FoundShards,
  onNotice: OpenOptions['onNotice'],
): Promise<OpenedShards> {
  const { root, folders, decisions } = await openFolders(found, onNotice);
  // Names for all splits may lie beside the folders of the splits.
  const above = isSplitFolder(root) ? [dirname(root)] : [];
  const names =
    found.classes === undefined
      ? await readClassNames([...folders.map(({ folder }) => folder), root, ...above])
      : { path: found.classes, ...(await readModelLabels(found.classes)) };
  const used = Object.values(found.splits).flat();
  const shards = new Set(used.map(({ location }) => location));
  const classes = classesIn(folders, { source, root, names, shards });
  return { source, root, folders, ...classes, decisions: [...decisions, ...classes.decisions] };
}

async function openFolders({ splits, others }: FoundShards, onNotice?: OpenOptions['onNotice']) {
  const shards = [...Object.values(splits).flat(), ...others];
  const stream = shards.find(({ kind }) => kind !== 'file');
  if (stream)
    throw new DataError(
      `${stream.location}: shards that are not files can only be trained on; download them`,
    );
  const paths = shards.map(({ location }) => location);
  const root = commonFolder(paths);
  const folders: IndexedFolder[] = [];
  const decisions: string[] = [];
  for (const folder of new Set(paths.map((path) => dirname(path)))) {
    const files = paths.filter((path) => dirname(path) === folder);
    const opened = await openIndex(
      folder,
      files.map((file) => basename(file)),
      onNotice,
    );
    folders.push({ folder, index: opened.index });
    decisions.push(...opened.decisions);
  }
  return { root, folders, decisions };
}

/** @throws ShardError */
function classesIn(
  folders: readonly IndexedFolder[],
  {
    source,
    root,
    names,
    shards,
  }: { source: string; root: string; names: ClassNames | undefined; shards: ReadonlySet<string> },
): ShardClasses {
  /** An image with each label in use. */
  const examples = new Map<string, () => string>();
  for (const { folder, index } of folders) {
    const { label, shard } = index.columns;
    const first = new Map<number, number>();
    const isWanted = index.shards.map(({ name }) => shards.has(join(folder, name)));
    for (const row of rowsOf(index, { isWanted, isLabelled: true }))
      if (!first.has(label[row] as number)) first.set(label[row] as number, row);
    for (const [number, row] of first) {
      const text = index.labels[number] as string;
      const file = join(folder, index.shards[shard[row] as number]?.name ?? '');
      if (!examples.has(text)) examples.set(text, () => `${relative(root, file)}/${pathAt(index, row)}`);
    }
  }
  if (examples.size === 0) return { classes: [], classOf: new Map(), decisions: [] };
  return classesOf([...examples.keys()], {
    source,
    names,
    exampleOf: (label) => examples.get(label)?.() ?? '',
  });
}

function openSplit(
  { source, root, folders, classes, classOf }: OpenedShards,
  { shards, options: { fewestClasses } }: { shards: readonly Shard[]; options: OpenOptions },
): Dataset {
  const name = describeLocations(shards);
  const paths = new Set(shards.map(({ location }) => location));
  const shared = { name, root, shards: paths, classes, classOf };
  const all = shardImages(folders, { ...shared, isLabelled: false, report: { leftOut: [], decisions: [] } });
  if (all.length === 0)
    throw new ShardError(
      `${name}: contains no images; expected members called KEY.jpg (or .png, .webp, …), where KEY ends at the first dot, with a label in KEY.cls, KEY.json or KEY.txt${aboutMembers(leftOutIn(folders, paths))}`,
    );
  const labelled = shardImages(folders, {
    ...shared,
    isLabelled: true,
    report: reportOf(folders, { name, shards: paths, all }),
  });
  const used = new Set<number>();
  for (let index = 0; index < labelled.length && used.size < fewestClasses; index++)
    used.add(labelled.label(index));
  if (used.size === 0)
    throw new ShardError(
      `${name}: none of its ${all.length} images has a label; expected one in KEY.cls, KEY.json ({"label": …}) or KEY.txt beside ${quoted(all.nameOf(0))}`,
    );
  if (used.size < fewestClasses)
    throw new ShardError(
      `${source}: expected images of at least two classes, received only '${classes[[...used][0] as number]}', and with one class there is nothing to tell apart`,
    );
  return labelled;
}

/** The first members that are no samples, for whoever wonders why there are none. */
function aboutMembers(leftOut: readonly LeftOut[]): string {
  const [most] = leftOut;
  return most ? `; received ${countOf(most.count, most.what)} (${most.examples.join(', ')})` : '';
}

function reportOf(
  folders: readonly IndexedFolder[],
  { name, shards, all }: { name: string; shards: ReadonlySet<string>; all: Dataset },
): DataReport {
  const without: string[] = [];
  let unlabelled = 0;
  for (let index = 0; index < all.length; index++) {
    if (all.label(index) >= 0) continue;
    unlabelled++;
    if (without.length < 3) without.push(all.nameOf(index));
  }
  const isFrom = labelFields.filter((field) =>
    shardsIn(folders, shards).some(({ labelsFrom }) => labelsFrom[field] !== undefined),
  );
  const count = shards.size === 1 ? '1 shard' : `${shards.size} shards`;
  return {
    leftOut: [
      ...(unlabelled > 0 ? [{ what: 'images without a label', count: unlabelled, examples: without }] : []),
      ...leftOutIn(folders, shards),
    ],
    decisions: [`${name}: ${count}, with labels in ${isFrom.map((field) => `.${field}`).join(', ')}`],
  };
}

function shardsIn(folders: readonly IndexedFolder[], shards: ReadonlySet<string>): IndexedShard[] {
  return folders.flatMap(({ folder, index }) =>
    index.shards.filter((shard) => shards.has(join(folder, shard.name))),
  );
}

const leftOutIn = (folders: readonly IndexedFolder[], shards: ReadonlySet<string>): LeftOut[] =>
  addUpLeftOut(shardsIn(folders, shards).flatMap(({ leftOut }) => leftOut));
