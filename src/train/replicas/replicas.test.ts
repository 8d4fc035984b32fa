import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeSharing, ownReplicas } from './replicas.ts';

describe('ownReplicas', () => {
  it('gives each replica to one process, and each process at most one in a round', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 48 }), (count, size) => {
        const shares = Array.from({ length: size }, (_, rank) => ownReplicas(count, { rank, size }));
        const all = shares.flatMap(({ own }) => own).sort((a, b) => a - b);
        expect(all).toEqual(Array.from({ length: count }, (_, replica) => replica));
        expect(new Set(shares.map(({ rounds }) => rounds)).size).toBe(1);
        for (const [rank, { own, rounds, isIdleAtLast }] of shares.entries()) {
          expect(own).toEqual(own.map((_, round) => round * size + rank));
          expect(own.length).toBe(isIdleAtLast ? rounds - 1 : rounds);
        }
      }),
    );
  });
});

describe('describeSharing', () => {
  it('says what every process does, and which ones wait', () => {
    expect(describeSharing(1, 1)).toBeUndefined();
    expect(describeSharing(20, 1)).toBe('20 replicas, one after another in this process');
    expect(describeSharing(2, 2)).toBe('2 replicas on 2 processes: one each');
    expect(describeSharing(20, 4)).toBe('20 replicas on 4 processes: 5 each, one after another');
    expect(describeSharing(4, 3)).toBe(
      '4 replicas on 3 processes: up to 2 each, one after another; in the last round 2 of them wait',
    );
    expect(describeSharing(5, 3)).toContain('; in the last round one of them waits');
    expect(describeSharing(4, 6)).toBe(
      '4 replicas on 6 processes: 2 have nothing to train; a new run with --replicas 6 gives each of them a batch',
    );
    expect(describeSharing(1, 2)).toContain('one has nothing to train');
  });
});
