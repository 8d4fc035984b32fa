/** Errors of single networks and of their ensemble by the number of crops: each evaluation is a command of its own, made once. */
import { z } from 'zod';
import { runCommand } from '../child-command.ts';
import { commandText } from '../command-arguments.ts';
import { ExperimentError, logFile, measureOnce } from '../experiment-folder.ts';
import { type PlannedRun, runFolderOf } from '../plan.ts';

const measured = z.strictObject({
  command: z.string(),
  top1Error: z.number(),
  top5Error: z.number().nullable(),
  count: z.number(),
});
const answered = z.object({ top1Error: z.number(), top5Error: z.number().nullable(), count: z.number() });

export interface CropsScore extends z.infer<typeof measured> {
  /** An arm, or `ensemble`. */
  readonly member: string;
  readonly seed: number;
  readonly crops: number;
}

export const ensembleName = 'ensemble';

interface Evaluating {
  readonly folder: string;
  readonly data: string;
  readonly counts: readonly number[];
  /** Arms of the ensemble. */
  readonly ensemble: readonly string[];
  readonly limit: number | undefined;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Scores of whole ensembles: a seed of which a member has not finished is left out. */
export async function scoreCrops(
  finished: readonly PlannedRun[],
  { folder, data, counts, ensemble, limit, signal, say }: Evaluating,
): Promise<readonly CropsScore[]> {
  const scores: CropsScore[] = [];
  for (const seed of new Set(finished.map((run) => run.seed))) {
    const runs = ensemble.map((arm) => finished.find((run) => run.arm === arm && run.seed === seed));
    if (runs.some((run) => run === undefined)) continue;
    const paths = (runs as PlannedRun[]).map((run) => runFolderOf(folder, run));
    const members = [
      ...ensemble.map((member, index) => ({ member, models: [paths[index] as string] })),
      { member: ensembleName, models: paths },
    ];
    for (const { member, models } of members)
      for (const crops of counts) {
        if (signal.aborted) return scores;
        const name = `${member}-seed${seed}-crops${crops}`;
        const args = [
          ...['evaluate', ...models, '--data', data, '--crops', String(crops), '--json'],
          ...(limit === undefined ? [] : ['--limit', String(limit)]),
        ];
        const measure = async () => {
          say(`evaluating ${name}`);
          const { code, stdout, lastLine } = await runCommand(args, { log: logFile(folder, name), signal });
          if (code !== 0)
            throw new ExperimentError(
              `${name}: '${commandText(args)}' ended with ${code ?? 'a signal'}: ${lastLine}`,
            );
          return { command: commandText(args), ...answered.parse(JSON.parse(stdout)) };
        };
        scores.push({
          member,
          seed,
          crops,
          ...(await measureOnce(folder, name, { schema: measured, measure })),
        });
      }
  }
  return scores;
}
