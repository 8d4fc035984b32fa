/** Steps until given errors, of pairs. Pure. */
import type { Pair } from '../claim.ts';
import { type ArmResult, finalError, pairBySeed, type RunResult, stepOfError } from '../results.ts';
import { spreadOf } from '../statistics.ts';
import { type Block, heading, paragraph, table } from './blocks.ts';
import { armOf, defined, ratioCells, ratioVerdict, spreadText, wordsOf } from './words.ts';

/** Errors at which a pair is compared: multiples of the last one of its worse arm, fixed before anything is run, so that most runs reach them. */
const multiples = [1.1, 1.25, 1.5, 2] as const;
/** Of which the result speaks. */
const told: (typeof multiples)[number] = 1.25;

const meanOf = ({ runs }: ArmResult): number => {
  const errors = defined(runs.map((run) => finalError(run, 'validation')));
  return errors.length === 0 ? Number.NaN : spreadOf(errors).mean;
};

function reachedOf(
  pair: Pair,
  { arms, multiple }: { readonly arms: readonly ArmResult[]; readonly multiple: number },
) {
  const [arm, against] = [armOf(arms, pair.arm), armOf(arms, pair.against)];
  const error = multiple * Math.max(meanOf(arm), meanOf(against));
  const stepAt = (run: RunResult) => stepOfError(run, error);
  const reached = pairBySeed(arm.runs, against.runs, stepAt);
  const steps = [arm, against].map(({ runs }) => defined(runs.map(stepAt)));
  return { arm, against, error, steps, ratios: reached.map((each) => each.arm / each.against) };
}

/** A sentence for each pair. */
export const reachLines = (pairs: readonly Pair[], arms: readonly ArmResult[]): readonly string[] =>
  pairs.flatMap((pair) => {
    const { arm, against, error, ratios } = reachedOf(pair, { arms, multiple: told });
    if (!(error < 100)) return [];
    return ratioVerdict(
      {
        ...{ arm: wordsOf(arm), against: wordsOf(against) },
        quantity: `steps until a validation error of ${error.toFixed(2)}%`,
      },
      ratios,
    );
  });

export function reachBlocks(pairs: readonly Pair[], arms: readonly ArmResult[]): readonly Block[] {
  const rows = pairs.flatMap((pair) =>
    multiples
      .map((multiple) => reachedOf(pair, { arms, multiple }))
      .filter(({ error }) => error < 100)
      .map(({ error, steps, ratios }) => [
        `${pair.arm} against ${pair.against}, ${error.toFixed(2)}%`,
        ...steps.map((each) => spreadText(each, 0)),
        ...ratioCells(ratios),
      ]),
  );
  if (rows.length === 0) return [];
  return [
    heading('Steps until given errors'),
    paragraph(
      `Given errors are ${multiples.join(', ')} times the mean last validation error of the pair's worse arm. A run reaches one at the first evaluation at or below it, so that steps are as coarse as evaluations. Ratios are of the seeds of which both reached it, as their geometric mean; below 1 the first arm was faster.`,
    ),
    table(
      ['Arm against arm, validation error', 'steps', 'steps, against', 'ratio [95%]', 'p', 'pairs'],
      rows,
    ),
  ];
}
