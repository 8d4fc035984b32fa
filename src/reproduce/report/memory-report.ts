/** The report of a claim about memory: planned and measured, with and without. Pure but for compiling. */

import { commandText } from '../../train/configuration/command-arguments.ts';
import type { MemoryClaim, MemoryScale } from '../claim.ts';
import {
  benchArguments,
  casesOf,
  plannedStep,
  type StepMeasurement,
  type SumNorm,
  sumNorms,
} from '../measures/step-memory.ts';
import { type Block, commands, heading, list, paragraph, table } from './blocks.ts';
import { ratioCells, spreadText } from './words.ts';

const megabytes = (bytes: number): number => bytes / 1e6;

export function memoryBlocks(
  claim: MemoryClaim,
  scale: MemoryScale,
  measured: readonly StepMeasurement[],
): readonly Block[] {
  const precision = measured[0]?.machine.precision ?? 'float32';
  const cases = casesOf(scale).map((each) => {
    const of = (sumNorm: SumNorm) =>
      measured.filter(
        (one) => one.network === each.network && one.batch === each.batch && one.sumNorm === sumNorm,
      );
    const paired = (read: (one: StepMeasurement) => number | null) =>
      of('all').flatMap((one) => {
        const other = of('none').find(({ seed }) => seed === one.seed);
        const [all, none] = [read(one), other ? read(other) : null];
        return all === null || none === null ? [] : [all / none];
      });
    const planned = sumNorms.map((sumNorm) => plannedStep(each, sumNorm, precision));
    return { ...each, of, paired, planned };
  });
  const name = ({ network, batch }: { network: string; batch: number }) => `${network}, batch ${batch}`;
  return [
    heading('Result'),
    list(
      cases.map((each) => {
        const [none, all] = each.planned.map(({ peakBytes }) => peakBytes) as [number, number];
        const [ratio, p, pairs] = ratioCells(each.paired(({ peakBytes }) => peakBytes));
        const [speed, speedP] = ratioCells(each.paired(({ imagesPerSecond }) => imagesPerSecond));
        const test = p === '–' ? `${pairs} pairs` : `${pairs} pairs, p = ${p}`;
        const speedTest = speedP === '–' ? '' : ` (p = ${speedP})`;
        return `${name(each)}: batch normalisation on all sums takes ${(all / none).toFixed(2)} times the planned memory of a step’s results, ${ratio} times the measured peak of the process (${test}), and gives ${speed} times the images a second${speedTest}.`;
      }),
    ),
    heading('Planned memory'),
    paragraph(
      `From the compiled program alone, ${precision}: the tensors that stay (weights, averages, optimiser) and the largest sum of results that live at once. Space that operators take while they run is not in it.`,
    ),
    table(
      ['Network and batch', 'stays, MB', 'results, none, MB', 'results, all, MB', 'all / none'],
      cases.map((each) => {
        const [none, all] = each.planned as [(typeof each.planned)[0], (typeof each.planned)[0]];
        return [
          name(each),
          megabytes(none.storeBytes).toFixed(1),
          megabytes(none.peakBytes).toFixed(1),
          megabytes(all.peakBytes).toFixed(1),
          (all.peakBytes / none.peakBytes).toFixed(3),
        ];
      }),
    ),
    heading('Measured memory'),
    paragraph(
      'The peak of the process in its steps, with Node.js, libtorch and the weights. Ratios are of pairs that ran one after the other; in brackets the 95% interval.',
    ),
    table(
      ['Network and batch', 'none, MB', 'all, MB', 'all / none', 'p', 'pairs'],
      cases.map((each) => {
        const peaks = (sumNorm: SumNorm) =>
          spreadText(
            each.of(sumNorm).flatMap(({ peakBytes }) => (peakBytes === null ? [] : [megabytes(peakBytes)])),
            0,
          );
        return [
          name(each),
          peaks('none'),
          peaks('all'),
          ...ratioCells(each.paired(({ peakBytes }) => peakBytes)),
        ];
      }),
    ),
    heading('Measured speed'),
    table(
      ['Network and batch', 'none, images/s', 'all, images/s', 'all / none', 'p', 'pairs'],
      cases.map((each) => {
        const rates = (sumNorm: SumNorm) =>
          spreadText(
            each.of(sumNorm).map(({ imagesPerSecond }) => imagesPerSecond),
            1,
          );
        return [
          name(each),
          rates('none'),
          rates('all'),
          ...ratioCells(each.paired(({ imagesPerSecond }) => imagesPerSecond)),
        ];
      }),
    ),
    heading('What was not seen'),
    list(claim.cannotShow),
    heading('Commands'),
    paragraph(
      `Each was run once for every pair, in turns; what ran there: ${measured[0]?.about ?? 'nothing yet'}.`,
    ),
    commands(
      cases.flatMap((each) =>
        sumNorms.map((sumNorm) => commandText(benchArguments(each, sumNorm, scale.rounds))),
      ),
    ),
  ];
}
