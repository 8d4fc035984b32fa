/** The beginning of a training by several processes: the same options, and connections for tensors. */
import { createHash } from 'node:crypto';
import type { Group } from '../../distributed/group.ts';
import { type Engine, EngineError } from '../../engine/engine.ts';
import { UsageError } from '../../errors.ts';
import { isProbe } from '../probe/around-training.ts';
import type { ResumeOptions, TrainOptions } from '../train-options.ts';
import { refuseDisagreement } from './agreement.ts';
import { alone, type Sharing } from './sharing.ts';

/** The options that make a training, on whatever machine: folders may be elsewhere there. */
function commonOptions(options: TrainOptions | ResumeOptions) {
  const { group: _, engine: __, signal: ___, device: ____, threads: _____, data: ______, ...rest } = options;
  return JSON.parse(JSON.stringify('resume' in rest ? { ...rest, resume: true } : { ...rest, out: true }));
}

/** Tells a training that this very command has begun from another one: a digest of what was asked for. */
export function digestOf(options: TrainOptions): string {
  const { goOn: _, ...asked } = commonOptions(options);
  return createHash('sha256').update(JSON.stringify(asked)).digest('hex').slice(0, 16);
}

/**
 * Compares what the processes were asked for. Their folders and data may lie elsewhere, and their engines are their own.
 * @throws RunError if they differ; UsageError for an option that one process alone can follow
 */
export async function agreeOnOptions(group: Group, options: TrainOptions | ResumeOptions): Promise<void> {
  if (group.size === 1) return;
  await refuseDisagreement(group, { options: commonOptions(options) });
  if ('resume' in options) return;
  const { recipe, timeSeconds } = options;
  const refused = isProbe(options)
    ? "freeze 'all', whose classifier is solved on fixed features,"
    : timeSeconds !== undefined
      ? '--time, which times the steps of one process,'
      : typeof recipe === 'object' && recipe.batch === 'auto'
        ? "--batch auto, which looks at one process's memory,"
        : undefined;
  if (refused !== undefined)
    throw new UsageError(
      `${refused} cannot be followed by ${group.size} processes; expected one process, or numbers`,
    );
}

/** Connects the engines of a group. @throws EngineError where libtorch cannot carry tensors between processes */
export async function joinTensors(group: Group, engine: Engine): Promise<Sharing> {
  const { rank, size, address } = group;
  if (size === 1) return alone;
  const { collectives, whyAlone = 'no reason is known' } = engine.facts;
  const reasons = await group.gather(collectives === undefined ? whyAlone : '');
  const without = reasons.findIndex((reason) => reason !== '');
  if (without !== -1)
    throw new EngineError(
      `rank ${without} (${group.hosts[without]}) cannot exchange tensors with others: ${reasons[without]}`,
    );
  const port = await group.fromFirst<number>(rank === 0 ? await engine.serveStore() : undefined);
  const [host = address] = await group.gather(address);
  const named = process.env.GLOO_SOCKET_IFNAME;
  const place = { rank, size, host, port, address, ...(named && { interface: named }) };
  return { group, tensors: await engine.join({ ...place, signal: group.lost }) };
}
