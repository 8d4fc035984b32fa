/** How long a claim takes on a machine of a given speed. Pure. */
import { buildGraph } from '../graph/build-graph.ts';
import { configure, findNetwork } from '../networks/networks.ts';
import { trainingMacs } from '../train/estimate/work.ts';
import type { Claim, ScaleName } from './claim.ts';
import { casesOf, sumNorms } from './measures/step-memory.ts';
import { macsOfScale } from './plan.ts';
import type { Speed } from './speed.ts';

/** Of a process, before its first step and after its last. */
const startSeconds = 3;
/** Steps of a measuring process that are not timed: the first one and a warm-up. */
const untimed = 2;

/**
 * Seconds, from multiply-adds; undefined for a scale that is meant for another device. Evaluations by many crops are not counted, nor what
 * small networks lose beside the one that was measured: it is an estimate.
 */
export function estimatedSeconds(
  claim: Claim,
  scaleName: ScaleName,
  { macsPerSecond, device }: Speed,
): number | undefined {
  if (scaleName === 'gpu' && device === 'cpu') return undefined;
  if (claim.kind === 'training') {
    const scale = claim.scales[scaleName];
    const runs = scale.arms.reduce((sum, { seeds = scale.seeds }) => sum + Math.min(seeds, scale.seeds), 0);
    return macsOfScale(scale) / macsPerSecond + runs * startSeconds;
  }
  const scale = claim.scales[scaleName];
  const perSeed = casesOf(scale).map(({ network, options, batch }) => {
    const macs = trainingMacs(buildGraph(configure(findNetwork(network), options)));
    const steps = (scale.rounds + untimed) * batch * macs;
    // The convolutions alone are measured beside them, in a process of their own.
    return sumNorms.length * 2 * (startSeconds + steps / macsPerSecond);
  });
  return scale.seeds * perSeed.reduce((sum, each) => sum + each, 0);
}
