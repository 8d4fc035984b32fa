/** Two real processes make a few steps of a tiny network together. */
import { afterAll, describe, expect, it } from 'vitest';
import { openTorch } from '../../engine/torch.ts';
import type { WorkOptions } from '../job.ts';
import { perOperator } from '../profile.ts';
import { formatReplicas } from '../report.ts';
import { profileReplicas } from './profile-replicas.ts';
import { planStep } from './step-model.ts';

const tiny: WorkOptions = {
  work: 'train',
  network: 'inception-v4',
  options: { width: 0.125, blocks: { A: 1, B: 1, C: 1 }, inputSize: 75, classes: 10 },
  batch: 2,
  precision: 'float32',
  device: 'cpu',
  threads: 1,
};

const engine = openTorch({ device: 'cpu', threads: 1 });
afterAll(() => engine.close());

describe('the profile of two processes', () => {
  // An addon that was built without Gloo cannot join a group; `facts.whyAlone` says so.
  it.skipIf(engine.facts.collectives === undefined)(
    'shows for each bucket what was sent, how long that took and what was exposed',
    async () => {
      const profile = await profileReplicas(tiny, { processes: 2, reduce: 'bfloat16', rounds: 1 });
      expect(profile.buckets.length).toBe(profile.timeline.buckets.length);
      for (const { bucket, bytes, busyMs, exposedMs } of profile.buckets) {
        const moment = profile.timeline.buckets.find((each) => each.bucket === bucket);
        // Half of it to the other one, and the own half of the mean.
        expect(Math.abs(bytes - (moment?.bytes ?? 0))).toBeLessThanOrEqual(4);
        expect(busyMs).toBeGreaterThan(0);
        expect(exposedMs).toBeGreaterThanOrEqual(0);
      }
      expect(perOperator(profile).map(({ name }) => name)).toContain('inception::wait_');
      const text = formatReplicas(profile, { layers: 3 });
      expect(text).toMatch(/^2 processes on this machine, gradients in bfloat16: a step takes [\d.]+ ms/);
      expect(text).toMatch(/0: statistics .*\n.*1: loss and errors .*\n.*2: gradients/);
      // The plan of a step reads it.
      const slow = { bytesPerSecond: 1e3, latencyMs: 0 };
      const { exposedMs } = planStep(profile.timeline, {
        ...{ processes: 2, perNode: 1, inside: slow, between: slow, algorithm: 'owners', messageMs: 0 },
      });
      expect(exposedMs).toBeGreaterThan(0);
    },
  );

  it('is not to be had of a CUDA device', async () => {
    const onCuda = profileReplicas(
      { ...tiny, device: 'cuda' },
      { processes: 2, reduce: 'float32', rounds: 1 },
    );
    await expect(onCuda).rejects.toThrow(/^profile: expected --device cpu, received cuda: /);
  });
});
