/**
 * The report of every claim, from records and measurements that are written here: their structure, and that what has a record is not run
 * again. Their numbers are made up. reproduce.test.ts runs real trainings.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Claim } from './claim.ts';
import { claims } from './claims/claims.ts';
import { ensembleName } from './measures/crops.ts';
import { casesOf, sumNorms } from './measures/step-memory.ts';
import { planRuns } from './plan.ts';
import { type Machine, type RunRecord, saveRecord } from './records.ts';
import { reproduce } from './reproduce.ts';

const folder = mkdtempSync(join(tmpdir(), 'inception-reports-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const machine: Machine = {
  ...{ processor: 'a processor', device: 'cpu', precision: 'float32', threads: 2, libtorch: '1.13.1' },
};
const seeds = [1, 2, 3];

/** Falls over epochs; each seed is as much better than the one before it, the first arms are better than the last. */
function recordOf(index: number, seed: number, overrides: Partial<RunRecord> = {}): RunRecord {
  const at = (epoch: number) => ({
    ...{ step: 4 * epoch, epoch, elapsedSeconds: 2 * epoch, top5Error: 0.1 },
    top1Error: (0.8 + 0.01 * index - 0.02 * seed) / epoch,
  });
  const blocks = [
    { block: 'inceptionResnetA/0', residualRatio: 0.5, zeroShare: 0.4 },
    { block: 'inceptionResnetC/0', residualRatio: null, zeroShare: 1 },
  ];
  return {
    ...{
      format: 1,
      ended: 'finished',
      machine,
      trainingSeconds: 4,
      classes: 10,
      data: { train: 'a', test: 'b' },
    },
    steps: { step: [4, 8], loss: [2.3, 1.9], zeroShare: [0.4, 0.5] },
    evaluations: [1, 2].map((epoch) => ({ ...at(epoch), validationLoss: 1, blocks })),
    test: { ...at(2), testLoss: 1 },
    ...overrides,
  };
}

async function fabricate(claim: Claim, out: string): Promise<void> {
  mkdirSync(join(out, 'measurements'), { recursive: true });
  const measure = (name: string, value: object) =>
    writeFileSync(join(out, 'measurements', `${name}.json`), JSON.stringify(value));
  writeFileSync(
    join(out, 'experiment.json'),
    JSON.stringify({
      ...{ format: 1, claim: claim.id, scale: 'smoke', seeds: seeds.length },
      ...(claim.kind === 'training' && { data: 'photos', splits: ['train', 'test'] }),
    }),
  );
  if (claim.kind === 'memory') {
    for (const { network, batch } of casesOf(claim.scales.smoke))
      for (const sumNorm of sumNorms)
        for (const seed of [1, 2, 3])
          measure(`${network}-batch${batch}-${sumNorm}-${seed}`, {
            ...{ command: 'inception bench train', imagesPerSecond: 10 + seed, machine, about: 'ours' },
            peakBytes: 1e8 * (sumNorm === 'all' ? 1.2 : 1) + seed,
          });
    return;
  }
  const plan = planRuns(claim, { scale: 'smoke', data: 'photos', seeds: 3 }, out);
  const arms = [...new Set(plan.map(({ arm }) => arm))];
  for (const { name, arm, seed } of plan) await saveRecord(out, name, recordOf(arms.indexOf(arm), seed));
  for (const member of claim.crops ? [...claim.crops.ensemble, ensembleName] : [])
    for (const crops of claim.crops?.counts ?? [])
      for (const seed of seeds)
        measure(`${member}-seed${seed}-crops${crops}`, {
          ...{ command: 'inception evaluate', top1Error: 0.5 - crops / 1000, top5Error: null, count: 8 },
        });
}

async function report(claim: Claim, out: string) {
  const said: string[] = [];
  const { complete } = await reproduce(claim, {
    ...{
      out,
      scale: 'smoke',
      seeds: seeds.length,
      command: 'inception reproduce',
      say: (line) => said.push(line),
    },
    ...(claim.kind === 'training' && { data: '/elsewhere/photos' }),
    signal: new AbortController().signal,
  });
  expect(complete).toBe(true);
  // Nothing was run: every line says that there was a record.
  expect(said.filter((line) => !/had finished|had died|was not run|no longer there/.test(line))).toEqual([]);
  return readFileSync(join(out, 'report.md'), 'utf8');
}

/** Headings and figures beside those that every report has. */
const parts: Readonly<Record<string, readonly [headings: readonly string[], figures: readonly string[]]>> = {
  'residual-connections': [['Differences', 'Steps until given errors'], ['errors.svg']],
  'residual-scaling': [
    ['Differences', 'Zeros before the classifier', 'Residuals beside their shortcuts'],
    ['errors.svg', 'residuals.svg', 'zeros.svg'],
  ],
  'sum-normalisation': [['Planned memory', 'Measured memory', 'Measured speed'], []],
  'crops-and-ensembles': [['Crops and the ensemble'], ['errors.svg']],
  'rmsprop-epsilon': [['Differences', 'Steps until given errors'], ['errors.svg']],
  'twenty-replicas': [['Differences'], ['errors.svg']],
  'drawn-or-released': [['Differences', 'Accuracy and cost'], ['errors.svg']],
};

describe('a report', () => {
  it.each(claims.map((claim) => [claim.id, claim] as const))('of %s has its parts', async (id, claim) => {
    const out = join(folder, id);
    await fabricate(claim, out);
    const markdown = await report(claim, out);
    const [headings, figures] = parts[id] ?? [];
    for (const heading of ['Result', 'What was not seen', 'Machine', 'Commands', ...(headings ?? [])])
      expect(markdown).toContain(`\n## ${heading}\n`);
    expect(readdirSync(join(out, 'figures')).sort()).toEqual(figures);
    expect(markdown).toContain('a processor, 2 threads, float32, libtorch 1.13.1');
    expect(markdown).not.toMatch(/NaN|undefined|\[object/);
  });

  it('is the same when it is written again: nothing in it is of this machine or this time', async () => {
    const claim = claims.find(({ id }) => id === 'rmsprop-epsilon') as Claim;
    const out = join(folder, 'again');
    await fabricate(claim, out);
    expect(await report(claim, out)).toBe(await report(claim, out));
  });

  it('says which machines differ, what died and what was warned of', async () => {
    const claim = claims.find(({ id }) => id === 'residual-scaling') as Claim;
    const out = join(folder, 'mixed');
    await fabricate(claim, out);
    await saveRecord(
      out,
      'off-w0.125-seed1',
      recordOf(0, 1, {
        ...{
          ended: 'died',
          message: 'step 30: the network has died',
          remarks: ['step 22: the network is dying'],
        },
        machine: { ...machine, processor: 'another one', precision: 'bfloat16' },
      }),
    );
    const markdown = await report(claim, out);
    expect(markdown).toContain('Not everything ran on the same machine or in the same way.');
    expect(markdown).toContain('off-w0.125-seed1 died: step 30: the network has died');
    expect(markdown).toContain('off-w0.125-seed1: step 22: the network is dying');
    expect(markdown).toContain('| 1 of 3 | 2 finished, 1 died |');
  });

  it('says which crops were lost with the weights', async () => {
    const claim = claims.find(({ id }) => id === 'crops-and-ensembles') as Claim;
    const out = join(folder, 'lost');
    await fabricate(claim, out);
    rmSync(join(out, 'measurements', 'v4-seed2-crops144.json'));
    expect(await report(claim, out)).toContain(
      `- the crops of seed 2 were not all evaluated, and the weights in ${out}/runs are no longer there`,
    );
  });

  it('refuses to compare trainings with different images', async () => {
    const claim = claims.find(({ id }) => id === 'rmsprop-epsilon') as Claim;
    const out = join(folder, 'different');
    await fabricate(claim, out);
    await saveRecord(out, 'momentum-0.1-seed3', recordOf(0, 3, { data: { train: 'c', test: 'b' } }));
    await expect(report(claim, out)).rejects.toThrow(
      `${out}: rmsprop-0.01-seed1 and momentum-0.1-seed3 were trained with different images, and cannot be compared; expected the same data for all, or another --out`,
    );
  });
});
