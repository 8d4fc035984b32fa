/** Memory and speed of a training step with and without batch normalisation on the residual sums: as planned, and as measured. */
import { z } from 'zod';
import { plannedMemory } from '../../compile/planned-memory.ts';
import { compileTraining } from '../../compile/training/compile-training.ts';
import type { EngineFacts } from '../../engine/engine.ts';
import { buildGraph } from '../../graph/build-graph.ts';
import { configure, findNetwork, type NetworkOptions } from '../../networks/networks.ts';
import { commandText, networkArguments } from '../../train/configuration/command-arguments.ts';
import { resolveRecipe, stepOptionsOf } from '../../train/recipe/recipe.ts';
import { runCommand } from '../child-command.ts';
import type { MemoryScale } from '../claim.ts';
import { ExperimentError, logFile, measureOnce } from '../experiment-folder.ts';
import { machineSchema } from '../records.ts';

/** Where batch normalisation stands: the arms. */
export const sumNorms = ['none', 'all'] as const;
export type SumNorm = (typeof sumNorms)[number];

const measured = z.strictObject({
  command: z.string(),
  /** Peak memory of the process during its steps; null where the system does not say. */
  peakBytes: z.number().nullable(),
  imagesPerSecond: z.number(),
  machine: machineSchema,
  about: z.string(),
});

export interface StepMeasurement extends z.infer<typeof measured> {
  readonly network: string;
  readonly batch: number;
  readonly sumNorm: SumNorm;
  readonly seed: number;
}

const answered = z.object({
  work: z.object({ precision: z.enum(['float32', 'bfloat16']) }),
  sides: z.array(
    z.object({
      name: z.string(),
      about: z.string(),
      peakBytes: z.number().nullable(),
      imagesPerSecond: z.number(),
    }),
  ),
});

interface Case {
  readonly network: string;
  readonly options: NetworkOptions;
  readonly batch: number;
}

export const casesOf = ({ networks, batches }: MemoryScale): readonly Case[] =>
  networks.flatMap((each) => batches.map((batch) => ({ ...each, batch })));

const optionsOf = (options: NetworkOptions, sumNorm: SumNorm): NetworkOptions =>
  sumNorm === 'none' ? options : { ...options, sumNorm };

export const benchArguments = (
  { network, options, batch }: Case,
  sumNorm: SumNorm,
  rounds: number,
): string[] => [
  ...['bench', 'train', '--network', network, ...networkArguments(optionsOf(options, sumNorm))],
  ...['--batch', String(batch), '--rounds', String(rounds), '--against', 'none', '--json'],
];

export interface Planned {
  readonly storeBytes: number;
  readonly peakBytes: number;
}

/** From the compiled program alone: the tensors that stay, and the results that live at once. */
export function plannedStep(
  { network, options, batch }: Case,
  sumNorm: SumNorm,
  precision: 'float32' | 'bfloat16',
): Planned {
  const graph = buildGraph(configure(findNetwork(network), optionsOf(options, sumNorm)));
  const { store, step } = compileTraining(graph, {
    ...stepOptionsOf(resolveRecipe('paper', { batch })),
    precision,
  });
  return plannedMemory(step, { store, bytes: precision === 'bfloat16' ? 2 : 4 });
}

interface Measuring {
  readonly folder: string;
  readonly seeds: number;
  readonly facts: EngineFacts;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Both sides take turns, so that whatever slows the machine meets both. */
export async function measureSteps(
  scale: MemoryScale,
  { folder, seeds, facts, signal, say }: Measuring,
): Promise<readonly StepMeasurement[]> {
  const results: StepMeasurement[] = [];
  for (let seed = 1; seed <= seeds; seed++)
    for (const each of casesOf(scale))
      for (const sumNorm of seed % 2 === 1 ? sumNorms : [...sumNorms].reverse()) {
        if (signal.aborted) return results;
        const name = `${each.network}-batch${each.batch}-${sumNorm}-${seed}`;
        const args = benchArguments(each, sumNorm, scale.rounds);
        const measure = async () => {
          say(`measuring ${name}`);
          const { code, stdout, lastLine } = await runCommand(args, { log: logFile(folder, name), signal });
          if (signal.aborted) return undefined;
          if (code !== 0)
            throw new ExperimentError(
              `${name}: '${commandText(args)}' ended with ${code ?? 'a signal'}: ${lastLine}`,
            );
          const { work, sides } = answered.parse(JSON.parse(stdout));
          const ours = sides.find((side) => side.name === 'ours');
          if (!ours) throw new ExperimentError(`${name}: '${commandText(args)}' measured nothing of ours`);
          const { peakBytes, imagesPerSecond, about } = ours;
          const { device, hardware: processor, threads, libtorch } = facts;
          const machine = { processor, device, precision: work.precision, threads, libtorch };
          return { command: commandText(args), peakBytes, imagesPerSecond, about, machine };
        };
        const value = await measureOnce(folder, name, { schema: measured, measure });
        if (value) results.push({ network: each.network, batch: each.batch, sumNorm, seed, ...value });
      }
  return results;
}
