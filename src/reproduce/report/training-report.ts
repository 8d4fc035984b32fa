/** The report of trained arms: errors, epochs until given errors, deaths, residuals, crops. Pure. */

import { commandText } from '../../train/configuration/command-arguments.ts';
import type { Pair, TrainingClaim, TrainingScale } from '../claim.ts';
import type { CropsScore } from '../measures/crops.ts';
import type { PlannedRun } from '../plan.ts';
import { type ArmResult, type ErrorKind, errorKindOf, finalError, pairBySeed } from '../results.ts';
import { spreadOf } from '../statistics.ts';
import { figureOf } from './arm-figure.ts';
import { type Block, commands, heading, list, paragraph, table } from './blocks.ts';
import { costBlocks } from './cost-report.ts';
import { cropBlocks, cropLines } from './crops-report.ts';
import { grouped, short } from './numbers.ts';
import { reachBlocks, reachLines } from './reach-report.ts';
import { residualBlocks, zeroBlocks, zeroLines } from './stability-report.ts';
import { armOf, defined, differenceCells, endsOf, howTested, spreadText, verdict, wordsOf } from './words.ts';

export interface TrainingResults {
  readonly arms: readonly ArmResult[];
  readonly plan: readonly PlannedRun[];
  readonly crops: readonly CropsScore[];
  /** What was not run on this machine, and why. */
  readonly idle: readonly string[];
}

export function trainingBlocks(
  claim: TrainingClaim,
  scale: TrainingScale,
  results: TrainingResults,
): readonly Block[] {
  const { arms, plan, idle } = results;
  const kind = errorKindOf(arms);
  const pairs = chosenPairs(scale.pairs, arms);
  const measures = new Set(claim.measures);
  return [
    heading('Result'),
    ...resultOf(pairs, {
      ...{ arms, kind },
      more: [
        ...(measures.has('reach') ? reachLines(pairs, arms) : []),
        ...(measures.has('zeros') ? zeroLines(arms) : []),
        ...(claim.crops ? cropLines(claim.crops, results.crops) : []),
      ],
    }),
    heading('Arms'),
    table(
      ['Arm', 'multiply-adds', 'parameters', `${kind} error, %`, 'training time, s', 'ended'],
      arms.map(({ arm, costs, runs }) => [
        `${arm.name}: ${arm.about}`,
        short(costs.macs),
        grouped(costs.parameters),
        spreadText(defined(runs.map((run) => finalError(run, kind)))),
        spreadText(defined(runs.map(({ record }) => record?.trainingSeconds)), 0),
        endsOf(runs),
      ]),
    ),
    paragraph(
      kind === 'test'
        ? 'Test images are scored once, after the last epoch; the curves are of validation images.'
        : 'There are no test images: the error is that of the last evaluation on validation images, which chose nothing.',
    ),
    ...(pairs.length === 0 ? [] : [heading('Differences'), pairTable(pairs, { arms, kind })]),
    ...(measures.has('reach') ? reachBlocks(pairs, arms) : []),
    figureOf(arms, {
      file: 'errors.svg',
      title: 'Validation error over epochs',
      xName: 'epoch',
      yName: 'error (%)',
      dots: true,
      points: ({ evaluations }) =>
        evaluations.map(({ epoch, top1Error }) => [epoch, 100 * top1Error] as const),
    }),
    ...(measures.has('zeros') ? zeroBlocks(arms) : []),
    ...(measures.has('residuals') ? residualBlocks(arms) : []),
    ...(measures.has('cost') ? costBlocks(pairs, { arms, kind }) : []),
    ...(claim.crops ? cropBlocks(claim.crops, results.crops) : []),
    heading('What was not seen'),
    list([...claim.cannotShow, ...idle, ...missing(arms)]),
    heading('How it was tested'),
    paragraph(howTested),
    heading('Commands'),
    paragraph('The whole experiment is the command above; each run and each evaluation alone:'),
    commands([...plan.map(({ args }) => commandText(args)), ...results.crops.map(({ command }) => command)]),
  ];
}

/** Where arms form groups, the arm with the lowest mean validation error at the end stands for its group. */
function chosenPairs(pairs: readonly Pair[], arms: readonly ArmResult[]): readonly Pair[] {
  const chosen = (name: string): string | undefined => {
    const group = arms.filter(({ arm }) => arm.group === name);
    if (group.length === 0) return name;
    const scored = group.flatMap(({ arm, runs }) => {
      const errors = defined(runs.map((run) => finalError(run, 'validation')));
      return errors.length === 0 ? [] : [{ name: arm.name, mean: spreadOf(errors).mean }];
    });
    return scored.sort((a, b) => a.mean - b.mean)[0]?.name;
  };
  return pairs.flatMap((pair) => {
    const [arm, against] = [chosen(pair.arm), chosen(pair.against)];
    const isRun = (name: string) => armOf(arms, name).runs.length > 0;
    return arm !== undefined && against !== undefined && isRun(arm) && isRun(against)
      ? [{ arm, against }]
      : [];
  });
}

const differences = (pair: Pair, arms: readonly ArmResult[], kind: ErrorKind): number[] =>
  pairBySeed(armOf(arms, pair.arm).runs, armOf(arms, pair.against).runs, (run) => finalError(run, kind)).map(
    ({ arm, against }) => arm - against,
  );

interface Compared {
  readonly arms: readonly ArmResult[];
  readonly kind: ErrorKind;
}

function resultOf(
  pairs: readonly Pair[],
  { arms, kind, more }: Compared & { readonly more: readonly string[] },
): readonly Block[] {
  const runs = arms.flatMap((each) => each.runs);
  const ended = runs.filter(({ record }) => record !== undefined).length;
  const early = runs.filter(({ record }) => record && record.ended !== 'finished');
  const gridEnds = arms.filter(
    ({ arm }) =>
      pairs.some((pair) => [pair.arm, pair.against].includes(arm.name)) && isGridEnd(arm.name, arms),
  );
  return [
    ...(ended < runs.length
      ? [
          paragraph(
            `Not complete: ${ended} of ${runs.length} trainings have ended. The numbers are of these.`,
          ),
        ]
      : []),
    list([
      ...pairs.map((pair) =>
        verdict(
          {
            ...{ arm: wordsOf(armOf(arms, pair.arm)), against: wordsOf(armOf(arms, pair.against)) },
            ...{ unit: 'points', quantity: `final ${kind} error` },
          },
          differences(pair, arms, kind),
        ),
      ),
      ...more,
    ]),
    ...(early.length === 0
      ? []
      : [list(early.map(({ run, record }) => `${run.name} ${record?.ended}: ${record?.message}`))]),
    ...gridEnds.map(({ arm }) =>
      paragraph(
        `The best rate of ${arm.group}, ${arm.recipe.learningRate}, stands at an end of the grid: a wider one might have a better.`,
      ),
    ),
  ];
}

function isGridEnd(name: string, arms: readonly ArmResult[]): boolean {
  const { group } = armOf(arms, name).arm;
  const grid = group === undefined ? [] : arms.filter(({ arm }) => arm.group === group);
  return grid[0]?.arm.name === name || grid.at(-1)?.arm.name === name;
}

const pairTable = (pairs: readonly Pair[], { arms, kind }: Compared): Block =>
  table(
    ['Arm against arm', `difference in final ${kind} error, points [95%]`, 'p', 'pairs'],
    pairs.map((pair) => [
      `${pair.arm} against ${pair.against}`,
      ...differenceCells(differences(pair, arms, kind)),
    ]),
  );

/** What the runs themselves leave open. */
function missing(arms: readonly ArmResult[]): string[] {
  const seeds = Math.max(...arms.map(({ runs }) => runs.length));
  const steps = Math.max(
    0,
    ...arms.flatMap(({ runs }) => runs.map(({ record }) => record?.steps.step.at(-1) ?? 0)),
  );
  const died = arms.some(({ runs }) => runs.some(({ record }) => record?.ended === 'died'));
  return [
    `anything after step ${grouped(steps)}, the last of the longest run`,
    ...(died ? [] : ['a network that died: no run was ended by the alarm']),
    ...(seeds < 6
      ? [`differences smaller than the spread over ${seeds} seeds; from 6 pairs on p can be below 0.05`]
      : []),
  ];
}
