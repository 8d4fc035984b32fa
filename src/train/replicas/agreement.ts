/** Before the first step: whether all processes train the same. */
import { createHash } from 'node:crypto';
import { printProgram } from '../../compile/program.ts';
import type { Group } from '../../distributed/group.ts';
import type { EngineFacts } from '../../engine/engine.ts';
import { type Configuration, RunError } from '../configuration/configuration.ts';
import { filesOf } from '../configuration/data-files.ts';
import type { RunData } from '../run-data.ts';
import type { StepPrograms } from './replicas.ts';
import type { Sharing } from './sharing.ts';

/** Anything that JSON holds. */
type Plain =
  | null
  | boolean
  | number
  | string
  | readonly Plain[]
  | { readonly [key: string]: Plain | undefined };

interface Difference {
  /** `recipe.batch` */
  readonly path: string;
  readonly mine: Plain | undefined;
  readonly theirs: Plain | undefined;
}

const isObject = (value: Plain | undefined): value is { readonly [key: string]: Plain | undefined } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The first place where two values differ, in the order of the first one's keys. */
export function firstDifference(
  mine: Plain | undefined,
  theirs: Plain | undefined,
  path = '',
): Difference | undefined {
  if (isObject(mine) && isObject(theirs)) {
    for (const key of new Set([...Object.keys(mine), ...Object.keys(theirs)])) {
      const found = firstDifference(mine[key], theirs[key], path === '' ? key : `${path}.${key}`);
      if (found) return found;
    }
    return undefined;
  }
  return JSON.stringify(mine) === JSON.stringify(theirs) ? undefined : { path, mine, theirs };
}

const shown = (value: Plain | undefined): string =>
  value === undefined ? 'not given' : JSON.stringify(value);

/**
 * Compares what every process says of itself.
 * @throws RunError on all of them, naming the first one that differs from the first process, and in what
 */
export async function refuseDisagreement(
  { gather, hosts, size }: Pick<Group, 'gather' | 'hosts' | 'size'>,
  said: Plain,
): Promise<void> {
  if (size === 1) return;
  const [first, ...others] = await gather(said);
  for (const [index, other] of others.entries()) {
    const difference = firstDifference(first, other);
    if (!difference) continue;
    const rank = index + 1;
    throw new RunError(
      `rank ${rank} (${hosts[rank]}) differs from rank 0 (${hosts[0]}) in ${difference.path}: ${shown(difference.theirs)}, expected ${shown(difference.mine)}; nothing was trained. Every process must be started with the same command, the same version and the same data`,
    );
  }
}

interface Opened {
  readonly configuration: Configuration;
  readonly programs: StepPrograms;
  readonly splits: RunData;
  readonly facts: Pick<EngineFacts, 'libtorch' | 'device'>;
}

/** Versions, the text of the program and the files of the data. @throws RunError */
export async function refuseDifferences(
  { group }: Sharing,
  { configuration, programs, splits, facts }: Opened,
): Promise<void> {
  if (group.size === 1) return;
  const { train, validation, test } = splits;
  const files = (dataset: RunData['test']) => {
    if (!dataset) return undefined;
    const { images, sha256 } = filesOf(dataset, configuration.data);
    return { images, sha256: sha256.slice(0, 12) };
  };
  await refuseDisagreement(group, {
    libtorch: facts.libtorch,
    device: facts.device,
    node: process.versions.node.split('.')[0],
    'training images': files(train),
    'validation images': files(validation),
    'test images': files(test),
    'program (sha256)': createHash('sha256')
      .update(printProgram(programs.step.program))
      .digest('hex')
      .slice(0, 12),
  });
}
