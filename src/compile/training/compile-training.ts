/** Compiles a graph and a recipe to one training step: forward, loss, backward, optimiser, averages. */
import { type Graph, isStatistic } from '../../graph/graph.ts';
import { runPasses } from '../../passes/pass.ts';
import { Emitter } from '../emitter.ts';
import { endpointIds, returnEndpoints } from '../endpoints.ts';
import { evaluationLowering, lowerForward } from '../lower-forward.ts';
import { gradientNorm, Update } from '../optimizers/update.ts';
import type { CompiledTraining, TrainingOptions } from '../options.ts';
import { checkProgram, type Program, type Slot } from '../program.ts';
import { finish } from '../program-passes/finish/finish.ts';
import { aten } from '../rules/aten.ts';
import { native } from '../rules/native.ts';
import { type Lowering, lay } from '../rules/rule.ts';
import { lowerBackward, type ParameterGradient } from './lower-backward.ts';
import { lowerLoss } from './lower-loss.ts';
import { followBatches } from './moving-statistics.ts';
import { planTraining, type TrainingPlan } from './plan-training.ts';
import { finishReplicas, lowerIdle } from './replicas/finish-replicas.ts';
import { planBuckets, type Reduced } from './replicas/plan-replicas.ts';
import { trainingProgramPasses } from './training-passes.ts';
import { trainingStore } from './training-store.ts';

const rulesOf = { aten, native: lay(native, aten) };

/** Compiles the training step. @throws CompileError naming the layer or the option that does not fit. */
export function compileTraining(network: Graph, options: TrainingOptions): CompiledTraining {
  const { precision, passes: choices, optimizer, averages = true } = options;
  const plan = planTraining(network, options);
  const { frozen, replicas, layout, rates, roundedCopy, perWeight } = plan;
  const last = lowerRound(plan, { last: true });
  const store = trainingStore(layout, {
    ...{ optimizer, averages, groups: rates.groups, computed: frozen.computed, roundedCopy, perWeight },
    ...(replicas && last.reduced && { replicas: { plan: replicas, ...last.reduced } }),
  });
  const upTo = frozen.last === undefined ? '' : ` frozen up to ${frozen.last}`;
  const by = replicas ? ` ${replicas.count} replicas in ${replicas.processes} processes` : '';
  const draftOf = (emitter: Emitter, purpose: string) =>
    emitter.draft(`${network.network.name} ${purpose} batch ${options.batch} ${precision}${upTo}${by}`);
  const checked = (program: Program) => {
    checkProgram(program, store);
    return program;
  };
  const compile = ({ emitter, backward }: Round, purpose: string) => {
    const context = { store, backward, dtype: precision, bytes: precision === 'bfloat16' ? 2 : 4 };
    return checked(finish(runPasses(draftOf(emitter, purpose), trainingProgramPasses, { context, choices })));
  };
  const step = compile(last, 'train');
  if (frozen.prepare) checked(frozen.prepare);
  const { rounds, isEven } = replicas ?? { rounds: 1, isEven: true };
  return {
    store,
    step,
    accumulate: rounds > 1 ? compile(lowerRound(plan, { last: false }), 'accumulate') : undefined,
    idle:
      last.reduced && !isEven ? checked(finish(draftOf(lowerIdle(plan, last.reduced), 'idle'))) : undefined,
    prepare: frozen.prepare,
  };
}

interface Round {
  readonly emitter: Emitter;
  /** The gradient that the backward pass starts from. */
  readonly backward: Slot;
  /** What is averaged over replicas, if there are several. */
  readonly reduced: Reduced | undefined;
}

/** Forward, loss and backward; in the last round of a step also the update. Without replicas the only round is the last. */
function lowerRound(plan: TrainingPlan, { last }: { last: boolean }): Round {
  const { options, kernels, replicas, batchStatistics, statistics, graph, layout, rates, roundedCopy } = plan;
  const emitter = new Emitter();
  const update = new Update(emitter, options, {
    ...rates,
    ...(replicas && { gradient: replicas.meanGradient }),
  });
  if (plan.updates && last) update.begin();
  if (roundedCopy) {
    emitter.layer = 'weights in bfloat16';
    emitter.call('aten::copy_', [emitter.load('flat/bfloat16'), emitter.load('convolutions/weights')]);
  }
  const following = followBatches(emitter, {
    momentum: batchStatistics && last ? options.batchNormMomentum : 0,
    any: layout.statisticsLength > 0,
    into: statistics,
  });
  const lowering: Lowering = {
    ...evaluationLowering(emitter, graph, options),
    batchStatistics,
    normalisedTogether: plan.normalisedTogether,
    batchNormMomentum: following.momentum,
    dropout: options.dropout ?? true,
    roundedParameters: kernels === 'aten',
    stored: (name, node, parameter) => {
      if (roundedCopy && node.op === 'conv') return `bfloat16/${name}`;
      return isStatistic(parameter) && statistics !== 'moving' ? `batchStatistics/${name}` : name;
    },
  };
  const lowered = lowerForward(lowering, lay(plan.frozen.lower(emitter), rulesOf[kernels]));
  following.finish();
  returnEndpoints(emitter, endpointIds(graph, options.endpoints ?? []), lowered);
  const reports: string[] = [];
  const seeds = lowerLoss(lowering, lowered, {
    options,
    report: (name, value) => {
      reports.push(name);
      if (replicas) emitter.call('aten::copy_', [emitter.load(`reports/${name}`), value]);
      else emitter.output(name, value);
    },
  });
  if (replicas) {
    for (const flag of ['stop', 'save']) {
      reports.push(flag);
      emitter.call('aten::copy_', [emitter.load(`reports/${flag}`), emitter.input(flag, 'float32', [])]);
    }
  }
  const received: ParameterGradient[] = [];
  const receive = (gradient: ParameterGradient) => {
    received.push(gradient);
    if (plan.perWeight && gradient.part === 'weight') return;
    emitter.call('aten::copy_', [emitter.load(`gradient/${gradient.name}`), gradient.value]);
  };
  lowerBackward(lowering, lowered, { seeds, receive });
  const [[, backward] = [undefined, { slot: -1 }]] = seeds;
  if (replicas) {
    const reduced = { buckets: planBuckets({ ...plan, replicas }, received), reports };
    finishReplicas(plan, { emitter, update, last, ...reduced });
    return { emitter, backward: backward.slot, reduced };
  }
  emitter.layer = plan.perWeight ? 'optimizer' : 'gradient norm';
  const weights = received.filter(({ part }) => part === 'weight');
  const norm = plan.perWeight ? update.applyEach(weights) : gradientNorm(emitter);
  emitter.output('gradientNorm', norm);
  if (plan.updates && !plan.perWeight) update.applyAll(norm);
  return { emitter, backward: backward.slot, reduced: undefined };
}
