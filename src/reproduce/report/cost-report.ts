/** Accuracy beside its cost: what each arm's multiply-adds buy, against the arm that it changes one thing of. Pure. */
import type { Pair } from '../claim.ts';
import { type ArmResult, type ErrorKind, finalError, pairBySeed } from '../results.ts';
import { type Block, heading, paragraph, table } from './blocks.ts';
import { armOf, differenceCells } from './words.ts';

export function costBlocks(
  pairs: readonly Pair[],
  { arms, kind }: { readonly arms: readonly ArmResult[]; readonly kind: ErrorKind },
): readonly Block[] {
  return [
    heading('Accuracy and cost'),
    paragraph(
      `Multiply-adds and parameters of an arm over those of the arm that it changes one thing of, and the difference in the final ${kind} error. The last column is that difference for each 10% more multiply-adds, where an arm costs at least 2% more or less: below 0 the cost buys accuracy. It says nothing where the interval of the difference contains 0.`,
    ),
    table(
      [
        'Arm against arm',
        'multiply-adds',
        'parameters',
        'error, points [95%]',
        'p',
        'pairs',
        'points per 10%',
      ],
      pairs.map((pair) => {
        const [arm, against] = [armOf(arms, pair.arm), armOf(arms, pair.against)];
        const differences = pairBySeed(arm.runs, against.runs, (run) => finalError(run, kind)).map(
          (each) => each.arm - each.against,
        );
        const cost = arm.costs.macs / against.costs.macs;
        const mean = differences.reduce((sum, each) => sum + each, 0) / differences.length;
        return [
          `${pair.arm} against ${pair.against}`,
          cost.toFixed(3),
          (arm.costs.parameters / against.costs.parameters).toFixed(3),
          ...differenceCells(differences),
          differences.length === 0 || Math.abs(cost - 1) < 0.02 ? '–' : (mean / (10 * (cost - 1))).toFixed(2),
        ];
      }),
    ),
  ];
}
