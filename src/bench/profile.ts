/** Profiles one step: time per operator and per layer, and a trace for Chrome's viewer. */
import { type Program, printStep, type Step } from '../compile/program.ts';
import { openTorch } from '../engine/torch.ts';
import { BenchError } from './bench-error.ts';
import { describeJob, type WorkOptions } from './job.ts';
import { graphOfWork, openOurStep } from './our-step.ts';
import { quantile } from './statistics.ts';

export interface Profile {
  readonly program: Program;
  /** Lower quartile over the rounds for each step of the program, which approximates an undisturbed run. */
  readonly microseconds: readonly number[];
}

/** @throws BenchError on CUDA. */
export function refuseDevice({ device }: Pick<WorkOptions, 'device'>): void {
  if (device === 'cuda')
    throw new BenchError(
      "profile: expected --device cpu, received cuda: a CUDA device runs operators asynchronously, so that times measured here would mean nothing; 'nsys profile node bin/inception bench train --against none' shows its kernels",
    );
}

/** @throws BenchError on CUDA. */
export async function profileWork(work: WorkOptions, { rounds }: { rounds: number }): Promise<Profile> {
  refuseDevice(work);
  const graph = graphOfWork(work);
  const engine = openTorch({ device: work.device, threads: work.threads });
  try {
    const paths = { weights: '', images: '', onnx: '' };
    const { loaded, program, inputs } = await openOurStep(engine, describeJob(graph, work, paths));
    await loaded.run(inputs);
    const runs: Float64Array[] = [];
    for (let round = 0; round < rounds; round++) runs.push(await loaded.profile(inputs));
    return { program, microseconds: lowerQuartiles(runs) };
  } finally {
    await engine.close();
  }
}

/** Of each step over all rounds. */
export const lowerQuartiles = (rounds: readonly ArrayLike<number>[]): number[] =>
  Array.from({ length: rounds[0]?.length ?? 0 }, (_, step) =>
    quantile(
      rounds.map((round) => round[step] as number),
      0.25,
    ),
  );

export interface ProfileRow {
  readonly name: string;
  readonly count: number;
  readonly ms: number;
  /** Fraction of the whole step. */
  readonly fraction: number;
}

/** Largest first. */
export const perOperator = (profile: Profile): ProfileRow[] =>
  group(profile, (step) => (step.do === 'call' ? step.operator : step.do));

/** Forward and backward of a layer are two rows; steps without a layer are omitted. */
export const perLayer = (profile: Profile): ProfileRow[] =>
  group(profile, (step) => (step.do === 'call' ? step.layer : undefined));

function group({ program, microseconds }: Profile, keyOf: (step: Step) => string | undefined): ProfileRow[] {
  const sums = new Map<string, { count: number; ms: number }>();
  program.steps.forEach((step, index) => {
    const key = keyOf(step);
    if (key === undefined) return;
    const { count, ms } = sums.get(key) ?? { count: 0, ms: 0 };
    sums.set(key, { count: count + 1, ms: ms + (microseconds[index] as number) / 1000 });
  });
  const total = microseconds.reduce((sum, value) => sum + value, 0) / 1000;
  return [...sums]
    .map(([name, { count, ms }]) => ({ name, count, ms, fraction: ms / total }))
    .sort((a, b) => b.ms - a.ms);
}

/** The steps in sequence as Chrome trace events, for chrome://tracing or ui.perfetto.dev. */
export function chromeTrace({ program, microseconds }: Profile): string {
  let now = 0;
  const events = program.steps.flatMap((step, index) => {
    const duration = microseconds[index] as number;
    const event = {
      name: step.do === 'call' ? step.operator : step.do,
      cat: step.do,
      ph: 'X',
      pid: 1,
      tid: 1,
      ts: now,
      dur: duration,
      args: { step: index, text: printStep(step), ...(step.do === 'call' && { layer: step.layer }) },
    };
    now += duration;
    return step.do === 'free' ? [] : [event];
  });
  return JSON.stringify({ displayTimeUnit: 'ms', otherData: { program: program.name }, traceEvents: events });
}
