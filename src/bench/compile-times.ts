/** Measures what a program costs before its first step, and whether steps leak JavaScript memory. */
import { openTorch } from '../engine/torch.ts';
import { describeJob, type WorkOptions } from './job.ts';
import { compileWork, graphOfWork, openOurStep } from './our-step.ts';
import { median } from './statistics.ts';

export interface CompileTimes {
  /** From the graph to the program: the first time in this process, and the median of later ones. */
  readonly firstCompileMs: number;
  readonly compileMs: number;
  /** Creating and filling the store, and resolving operators. */
  readonly openMs: number;
  readonly steps: number;
  readonly firstStepMs: number;
  readonly laterStepMs: number;
  /** Growth of the JavaScript heap over all later steps, after garbage collection; null without `node --expose-gc`. */
  readonly heapGrowthBytes: number | null;
}

const compilations = 5;

export async function measureCompile(
  work: WorkOptions,
  { rounds }: { rounds: number },
): Promise<CompileTimes> {
  const graph = graphOfWork(work);
  const job = describeJob(graph, work, { weights: '', images: '', onnx: '' });
  const engine = openTorch({ device: work.device, threads: work.threads });
  const kernels = engine.facts.kernels;
  const compileTimes: number[] = [];
  for (let index = 0; index < compilations; index++)
    compileTimes.push(timed(() => compileWork(graph, job, kernels)));
  try {
    const begin = performance.now();
    const ours = await openOurStep(engine, job);
    const openMs = performance.now() - begin;
    const steps: number[] = [];
    const step = async () => {
      const begin = performance.now();
      await ours.step();
      steps.push(performance.now() - begin);
    };
    await step();
    await step();
    const heapBefore = heapBytes();
    for (let round = 0; round < rounds; round++) await step();
    const heapAfter = heapBytes();
    const [firstStepMs = 0, , ...later] = steps;
    return {
      firstCompileMs: compileTimes[0] as number,
      compileMs: median(compileTimes.slice(1)),
      openMs,
      steps: ours.program.steps.length,
      firstStepMs,
      laterStepMs: median(later),
      heapGrowthBytes: heapBefore === null || heapAfter === null ? null : heapAfter - heapBefore,
    };
  } finally {
    await engine.close();
  }
}

function timed(action: () => void): number {
  const begin = performance.now();
  action();
  return performance.now() - begin;
}

function heapBytes(): number | null {
  const collect = (globalThis as { gc?: () => void }).gc;
  if (!collect) return null;
  collect();
  return process.memoryUsage().heapUsed;
}
