import { describe, expect, it } from 'vitest';
import { createProgram } from '../cli/create-program.ts';
import { commandText } from '../train/configuration/command-arguments.ts';
import { deathNotice, refuseNonFinite } from '../train/failures.ts';
import { scaleNames, type TrainingClaim } from './claim.ts';
import { claims, findClaim } from './claims/claims.ts';
import { macsOf } from './match-costs.ts';
import { planRuns, resolveArms } from './plan.ts';
import { outcomeOf } from './run-trainings.ts';

const trainings = claims.filter((claim): claim is TrainingClaim => claim.kind === 'training');
const claimOf = (id: string) => findClaim(id) as TrainingClaim;

describe('the arms of a claim', () => {
  it.each(scaleNames)('cost the same multiply-adds where they are said to, at scale %s', (scale) => {
    const arms = resolveArms(claimOf('residual-connections').scales[scale]);
    const matched = arms.filter(({ costOf }) => costOf !== undefined);
    expect(matched).toHaveLength(scale === 'hours' ? 8 : 4);
    for (const arm of matched) {
      const target = arms.find(({ name }) => name === arm.costOf);
      const ratio = macsOf(arm) / macsOf(target as (typeof arms)[0]);
      // At an eighth of the width most layers have the fewest filters that there can be.
      expect(Math.abs(ratio - 1), `${arm.name} ${ratio}`).toBeLessThan(scale === 'smoke' ? 0.05 : 0.03);
    }
  });

  it.each(trainings.map(({ id }) => id))('of %s have names of their own, and pairs that exist', (id) => {
    for (const scale of scaleNames) {
      const { arms, pairs } = claimOf(id).scales[scale];
      const names = arms.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      const known = [...names, ...arms.flatMap(({ group }) => group ?? [])];
      for (const pair of pairs) expect(known).toEqual(expect.arrayContaining([pair.arm, pair.against]));
    }
  });
});

describe('a plan', () => {
  it.each(trainings.map(({ id }) => id))("of %s is commands that 'inception train' takes", async (id) => {
    const [train] = (await createProgram(['train'])).commands;
    for (const scale of scaleNames) {
      for (const { args } of planRuns(claimOf(id), { scale, seeds: 1, data: 'fashion-mnist' }, 'out')) {
        const { unknown, operands } = (train as NonNullable<typeof train>).parseOptions(args.slice(1));
        expect({ unknown, operands }).toEqual({ unknown: [], operands: [args[1]] });
      }
    }
  });

  it('pairs the arms of a seed, in folders of their own', () => {
    const plan = planRuns(claimOf('residual-connections'), { scale: 'smoke' }, 'out');
    expect(plan).toHaveLength(12);
    expect(plan.slice(0, 6).every(({ seed }) => seed === 1)).toBe(true);
    expect(new Set(plan.map(({ args }) => args[args.indexOf('--out') + 1])).size).toBe(12);
    expect(commandText(plan[2]?.args ?? [])).toMatch(
      /^inception train inception-resnet-v1 --data fashion-mnist --out out\/runs\/no-shortcuts-v1-seed1 .*--no-shortcuts --recipe small-data/,
    );
  });

  it('asks for photographs where a claim needs them', () => {
    expect(() => planRuns(claimOf('crops-and-ensembles'), { scale: 'smoke' }, 'out')).toThrow(
      "crops-and-ensembles: needs photographs that are larger than the network's input; expected --data FOLDER, a folder of class folders",
    );
    expect(() => findClaim('dying')).toThrow(
      "no claim is called 'dying'; there are residual-connections, residual-scaling, sum-normalisation, crops-and-ensembles, rmsprop-epsilon, twenty-replicas, drawn-or-released",
    );
  });
});

describe("a training's end", () => {
  const where = {
    step: 7,
    learningRate: 1,
    recipe: { learningRate: 1 },
    graph: { nodes: [] },
    folder: 'run',
  };

  it('is a result where the network died or its loss was no number, and nothing else is', () => {
    const ended = (message: string) => outcomeOf({ code: 1, lastLine: `inception: ${message}` })?.ended;
    expect(ended(deathNotice(where))).toBe('died');
    for (const measured of [
      { loss: Number.NaN, gradientNorm: 1 },
      { loss: 1, gradientNorm: Infinity },
    ]) {
      let message = '';
      try {
        refuseNonFinite(measured, where);
      } catch (error) {
        message = (error as Error).message;
      }
      expect(ended(message)).toBe('diverged');
    }
    expect(ended('no space left on the disk')).toBeUndefined();
    expect(outcomeOf({ code: 0, lastLine: '' })).toEqual({ ended: 'finished' });
    expect(outcomeOf({ code: 130, lastLine: '' })).toBeUndefined();
  });
});
