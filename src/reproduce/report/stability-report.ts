/** What a report says of networks that die: zeros before the classifier, warnings, and residuals beside their shortcuts. Pure. */
import { maxDeadSteps } from '../../train/failures.ts';
import type { ArmResult, RunResult } from '../results.ts';
import { figureOf } from './arm-figure.ts';
import { type Block, heading, list, paragraph, table } from './blocks.ts';
import { defined, endsOf, spreadText, wordsOf } from './words.ts';

/** A share above which a network is all but dead; the training's own alarm needs 0.999 for 20 steps. */
const nearDeath = 0.95;

const begun = (runs: readonly RunResult[]): readonly (readonly number[])[] =>
  defined(runs.map(({ record }) => record?.steps.zeroShare)).filter(({ length }) => length > 0);

/** A sentence for each arm of which a run came near death. */
export const zeroLines = (arms: readonly ArmResult[]): readonly string[] =>
  arms.flatMap((result) => {
    const shares = begun(result.runs);
    const near = shares.filter((each) => Math.max(...each) > nearDeath).length;
    return near === 0
      ? []
      : `${wordsOf(result)}: in ${near} of ${shares.length} runs more than ${100 * nearDeath}% of the features before the classifier were zero at some time.`;
  });

export function zeroBlocks(arms: readonly ArmResult[]): readonly Block[] {
  const remarks = arms.flatMap(({ runs }) =>
    runs.flatMap(({ run, record }) => (record?.remarks ?? []).map((remark) => `${run.name}: ${remark}`)),
  );
  return [
    heading('Zeros before the classifier'),
    paragraph(
      `The share of zeros among the features after the average pooling, as the mean over stretches of steps. 'near death' counts runs in which such a mean was above ${nearDeath}; the training's alarm ends a run after ${maxDeadSteps} steps in a row at 0.999.`,
    ),
    table(
      ['Arm', 'at the end', 'highest', 'near death', 'warned', 'ended'],
      arms.map(({ arm, runs }) => {
        const shares = begun(runs);
        const highest = shares.map((each) => Math.max(...each));
        return [
          arm.name,
          spreadText(
            shares.map((each) => each.at(-1) as number),
            3,
          ),
          spreadText(highest, 3),
          `${highest.filter((share) => share > nearDeath).length} of ${shares.length}`,
          `${runs.filter(({ record }) => record?.remarks).length} of ${shares.length}`,
          endsOf(runs),
        ];
      }),
    ),
    ...(remarks.length === 0 ? [] : [list(remarks)]),
    figureOf(arms, {
      file: 'zeros.svg',
      title: 'Share of zeros among the features',
      xName: 'step',
      yName: 'share of zeros',
      yRange: [0, 1],
      dots: false,
      points: ({ steps }) =>
        steps.step.map((step, index) => [step, steps.zeroShare[index] as number] as const),
    }),
  ];
}

/** By block, of the last evaluation of each run that has one. */
export function residualBlocks(arms: readonly ArmResult[]): readonly Block[] {
  const measured = arms
    .map(({ arm, runs }) => ({
      name: arm.name,
      blocks: defined(runs.map(({ record }) => record?.evaluations.at(-1)?.blocks)),
    }))
    .filter(({ blocks }) => blocks.length > 0);
  const names = [...new Set(measured.flatMap(({ blocks }) => blocks.flat().map(({ block }) => block)))];
  if (names.length === 0) return [];
  const by = (read: (state: { residualRatio: number | null; zeroShare: number }) => number | null): Block =>
    table(
      ['Arm', ...names],
      measured.map(({ name, blocks }) => [
        name,
        ...names.map((wanted) =>
          spreadText(
            blocks.flatMap((states) => {
              const state = states.find(({ block }) => block === wanted);
              const value = state && read(state);
              return value === undefined || value === null ? [] : [value];
            }),
            3,
          ),
        ),
      ]),
    );
  return [
    heading('Residuals beside their shortcuts'),
    paragraph(
      'The norm of what a block adds, scaled as it is added, over the norm of what it is added to, block by block in order of depth: of the averaged weights at the last evaluation, on 16 validation images.',
    ),
    by(({ residualRatio }) => residualRatio),
    paragraph('The share of zeros in what leaves each block, there:'),
    by(({ zeroShare }) => zeroShare),
    figureOf(arms, {
      file: 'residuals.svg',
      title: 'Largest norm of a residual over its shortcut',
      xName: 'step',
      yName: 'ratio',
      dots: true,
      points: ({ evaluations }) =>
        evaluations.flatMap(({ step, blocks = [] }) => {
          const ratios = blocks.flatMap(({ residualRatio }) => residualRatio ?? []);
          return ratios.length === 0 ? [] : [[step, Math.max(...ratios)] as const];
        }),
    }),
  ];
}
