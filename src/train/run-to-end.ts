/** Runs a training: opens the folder and the engine, runs the loop and closes them. */
import { absoluteSource } from '../data/sources/absolute-source.ts';
import { type Group, ownGroup } from '../distributed/group.ts';
import type { Device, Engine } from '../engine/engine.ts';
import { openTorch } from '../engine/torch.ts';
import { UsageError } from '../errors.ts';
import { graphOf, withFigure } from '../model/description.ts';
import type { Notices } from '../model/model-file.ts';
import { addRunCard } from './card/write-card.ts';
import { type Configuration, parseConfiguration } from './configuration/configuration.ts';
import { changesBetween, continued, describeChanges, onEngine } from './configuration/continue-run.ts';
import { networkOf } from './configuration/create-configuration.ts';
import { machineOf } from './configuration/machine.ts';
import { estimator } from './estimate/estimate.ts';
import { isOfClassifier, isProbe, needingSteps, probeBefore } from './probe/around-training.ts';
import { runProbe } from './probe/run-probe.ts';
import { agreeOnOptions, digestOf, joinTensors } from './replicas/join.ts';
import { describeSharing } from './replicas/replicas.ts';
import { alone } from './replicas/sharing.ts';
import { RunFolder } from './run/run-folder.ts';
import { initialState } from './run/training-state.ts';
import { type LoopOptions, runLoop, type TrainResult } from './run-loop.ts';
import { runWithLessMemory } from './run-with-less-memory.ts';
import { openStartingWeights, type StartingWeights } from './starting/starting-weights.ts';
import type { ResumeOptions, TrainEvent, TrainingControls, TrainOptions } from './train-options.ts';
import { fitConfiguration } from './trial/fit-configuration.ts';

export interface RunHooks {
  readonly signal: AbortSignal;
  readonly emit: (event: TrainEvent) => void;
}

/** A training whose options are valid and whose folder is as it was. */
interface Begun {
  readonly folder: RunFolder;
  readonly configuration: Configuration;
  /** Writes the configuration; called when everything else is open. */
  readonly onReady: NonNullable<LoopOptions['onReady']>;
  readonly starting?: StartingWeights | undefined;
  readonly resume?: boolean;
}

/** What the first process tells the others before the loop. */
interface Decided {
  readonly configuration: ReturnType<typeof withFigure>;
  readonly resume: boolean;
}

/** @throws the errors of `train`. */
export async function runToEnd(options: TrainOptions | ResumeOptions, hooks: RunHooks): Promise<TrainResult> {
  const { group = ownGroup } = options;
  await agreeOnOptions(group, options);
  if (group.rank > 0) return follow({ ...options, group }, hooks);
  if ('resume' in options) return resume(options, hooks);
  const { goOn = false, out, data, device, threads, evaluateEvery, saveEverySteps, engine } = options;
  const folder = new RunFolder(out);
  // The first attempt may have failed because the folder has a run of another command, which is refused again.
  const isOwn = goOn && (await folder.exists()) && (await folder.configuration()).asked === digestOf(options);
  if (!isOwn) return start(options, hooks);
  hooks.emit({ kind: 'note', message: `${out} holds a run that was begun before: it is resumed` });
  const controls = {
    ...{ threads, evaluateEvery, saveEverySteps, group },
    ...(device && { device }),
    ...(engine && { engine }),
  };
  return resume({ resume: out, data, ...controls }, hooks);
}

/**
 * A process that is not the first one: the first one has the folder and decides; this one has its own data.
 * @throws the errors of the loop, or LostPeerError
 */
async function follow(
  options: (TrainOptions | ResumeOptions) & { readonly group: Group },
  hooks: RunHooks,
): Promise<TrainResult> {
  const quiet: RunHooks = {
    ...hooks,
    emit: (event) => {
      if (event.kind === 'warning') hooks.emit(event);
    },
  };
  const begin = async () => {
    const { configuration, resume } = await options.group.fromFirst<Decided>(undefined);
    const parsed = parseConfiguration(JSON.stringify(configuration), 'rank 0');
    const data = options.data === undefined ? parsed.data : absoluteSource(options.data);
    const folder = new RunFolder('resume' in options ? options.resume : options.out);
    return { folder, configuration: { ...parsed, data }, resume, onReady: async () => undefined };
  };
  return onAnEngine(options, begin, quiet);
}

async function start(options: TrainOptions, hooks: RunHooks): Promise<TrainResult> {
  const began = performance.now();
  const { weights, network, out } = options;
  if (weights === undefined || network !== undefined) networkOf({ network });
  const folder = new RunFolder(out);
  await folder.refuseExisting();
  if (options.probe !== undefined && weights === undefined)
    throw new UsageError("option 'probe': has no effect without weights, whose features would be probed");
  if (isProbe(options)) return solve(options, hooks);
  if (isOfClassifier(options))
    noticesTo(hooks).onNotice(
      `freeze 'all' leaves the classifier alone to train: by steps, because of ${needingSteps(options).join(', ')}; without, it is solved on features that are computed once, as by 'inception probe'`,
    );
  const starting = weights === undefined ? undefined : await openStartingWeights(weights, noticesTo(hooks));
  try {
    return await onAnEngine(
      options,
      async (engine) => {
        const { onNotice } = noticesTo(hooks);
        const fitted = await fitConfiguration(options, { engine, folder, starting, began, onNotice });
        const { probe: isWanted = true } = options;
        const probe =
          starting && isWanted
            ? await probeBefore(fitted, { engine, folder, starting, onNotice, signal: hooks.signal })
            : undefined;
        const configuration = {
          ...fitted,
          ...(probe && { probe }),
          ...(options.goOn !== undefined && { asked: digestOf(options) }),
        };
        const onReady: Begun['onReady'] = async (ready) => {
          await folder.lock();
          await folder.create({ ...ready.configuration, machine: machineOf(engine.facts) });
        };
        // Nothing is written before the data, the programs and the memory are there: a refused start leaves nothing behind.
        return { folder, configuration, onReady, starting };
      },
      hooks,
    );
  } finally {
    await starting?.model.close();
  }
}

/** Trains the classifier alone. */
async function solve(options: TrainOptions, hooks: RunHooks): Promise<TrainResult> {
  const { weights = '', recipe, signal: _, probe: __, ...rest } = options;
  const { onNotice } = noticesTo(hooks);
  onNotice(
    "freeze 'all' leaves the classifier alone to train: it is solved on fixed features, as by 'inception probe'; a number of epochs, an augmentation or another option of steps trains it by steps",
  );
  const { classWeights } = typeof recipe === 'object' ? recipe : {};
  const { signal } = hooks;
  const { evaluation, test } = await runProbe({ ...rest, weights, classWeights, signal, onNotice });
  for (const metrics of [evaluation, test]) if (metrics) hooks.emit(metrics);
  const { position } = initialState;
  return {
    finished: true,
    stoppedEarly: false,
    position,
    evaluation,
    model: evaluation,
    chosenBy: undefined,
    test,
  };
}

/** Notices as events; of a download, that it has begun. */
function noticesTo({ emit }: RunHooks): Required<Notices> {
  const begun = new Set<string>();
  return {
    onNotice: (message) => emit({ kind: 'note', message }),
    onProgress: ({ file, total }) => {
      if (begun.has(file)) return;
      begun.add(file);
      const size = total === undefined ? '' : ` (${(total / 1e6).toFixed(1)} MB)`;
      emit({ kind: 'note', message: `downloading ${file}${size}` });
    },
  };
}

async function resume(options: ResumeOptions, hooks: RunHooks): Promise<TrainResult> {
  const folder = new RunFolder(options.resume);
  const before = await folder.configuration();
  const asked = continued(before, options);
  refuseGroupOfOneReplica(before, options);
  const { device: chosen = 'auto', threads = before.threads } = options;
  const device: Device = chosen === 'auto' ? before.device : chosen;
  return onAnEngine(
    { ...options, device, threads },
    async ({ facts }) => {
      const begun = onEngine(asked, facts, options.group?.size);
      graphOf(begun);
      await folder.lock();
      const onReady: Begun['onReady'] = async ({ configuration, step, stepsPerEpoch }) => {
        const changes = changesBetween(before, { after: configuration, step });
        for (const told of describeChanges(changes, { before, after: configuration, stepsPerEpoch }))
          hooks.emit(told);
        const after =
          changes.length > 0
            ? { ...configuration, changes: [...(before.changes ?? []), ...changes] }
            : configuration;
        if (JSON.stringify(after) !== JSON.stringify(before)) await folder.write(after);
      };
      return { folder, configuration: begun, onReady };
    },
    hooks,
  );
}

/** @throws UsageError where a run of one replica, whose step has no communication, is resumed by several processes */
function refuseGroupOfOneReplica(
  { recipe }: Configuration,
  { resume, group = ownGroup }: ResumeOptions,
): void {
  if (group.size > 1 && recipe.replicas === 1)
    throw new UsageError(
      `${resume} has one replica, and ${group.size} processes have nothing to share; expected one process, or a new run with --replicas`,
    );
}

async function onAnEngine(
  options: TrainingControls & { readonly resume?: string },
  begin: (engine: Engine) => Promise<Begun>,
  { signal, emit }: RunHooks,
): Promise<TrainResult> {
  const engine = options.engine ?? openTorch(engineOptions(options));
  const { group = ownGroup } = options;
  let folder: RunFolder | undefined;
  let sharing = alone;
  try {
    const begun = await begin(engine);
    const { configuration, onReady, starting, resume = options.resume !== undefined } = begun;
    if (group.rank === 0) {
      folder = begun.folder;
      await group.fromFirst<Decided>({ configuration: withFigure(configuration), resume });
    }
    sharing = await joinTensors(group, engine);
    const shared = describeSharing(configuration.recipe.replicas, group.size);
    if (shared !== undefined) emit({ kind: 'note', message: shared });
    let estimate: ReturnType<typeof estimator> | undefined;
    // Of several processes none can go on with another batch than the rest.
    const run = group.size === 1 ? runWithLessMemory : runLoop;
    const result = await run({
      configuration,
      folder: begun.folder,
      engine,
      sharing,
      resume,
      startingModel: starting?.model,
      signal,
      onReady,
      onStart: (start) => {
        estimate = estimator(start.configuration, start);
        emit({ kind: 'start', engine: engine.facts, ...start });
      },
      onStep: (progress) => {
        emit({ kind: 'step', ...progress });
        const estimated = estimate?.(progress);
        if (estimated) emit({ kind: 'estimate', ...estimated });
      },
      onEvaluation: emit,
      onWarning: (message) => emit({ kind: 'warning', message }),
    });
    if (result.model && group.rank === 0)
      await addRunCard(begun.folder.path, {
        onNotice: (message) => emit({ kind: 'note', message }),
        onWarning: (message) => emit({ kind: 'warning', message }),
      });
    // Those that have nothing to write wait for the first one, whose end would otherwise look like a loss.
    await group.barrier();
    return result;
  } finally {
    await sharing.tensors?.leave().catch(() => undefined);
    await folder?.unlock();
    if (!options.engine) await engine.close();
  }
}

const engineOptions = ({ device = 'auto', threads }: TrainingControls) => ({
  device,
  ...(threads !== undefined && { threads }),
});
