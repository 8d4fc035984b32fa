import { describe, expect, it } from 'vitest';
import { firstDifference, refuseDisagreement } from './agreement.ts';

describe('firstDifference', () => {
  it('names the first place where two values differ', () => {
    const recipe = { batch: 32, optimizer: { kind: 'rmsprop' }, crops: [1, 2] };
    expect(firstDifference({ recipe }, { recipe })).toBeUndefined();
    expect(firstDifference({ recipe }, { recipe: { ...recipe, batch: 16 } })).toEqual({
      path: 'recipe.batch',
      mine: 32,
      theirs: 16,
    });
    expect(firstDifference({ recipe }, { recipe: { ...recipe, crops: [1, 3] } })?.path).toBe('recipe.crops');
    expect(firstDifference({ a: 1 }, { a: 1, b: null })).toEqual({
      path: 'b',
      mine: undefined,
      theirs: null,
    });
  });
});

describe('refuseDisagreement', () => {
  const group = (said: readonly unknown[]) => ({
    size: said.length,
    hosts: said.map((_, rank) => `worker-${rank}`),
    gather: async <T>() => said as readonly T[],
  });

  it('names the rank that differs, in what, and what the first one has', async () => {
    const said = [{ options: { recipe: { batch: 32 } } }, { options: { recipe: { batch: 32 } } }];
    await refuseDisagreement(group(said), null);
    const others = [...said, { options: { recipe: {} } }];
    await expect(refuseDisagreement(group(others), null)).rejects.toThrow(
      'rank 2 (worker-2) differs from rank 0 (worker-0) in options.recipe.batch: not given, expected 32; nothing was trained. Every process must be started with the same command, the same version and the same data',
    );
  });
});
