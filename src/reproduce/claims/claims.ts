/** The claims by name. To add one, write a file beside these and add it here; plan, command and report follow. */
import { UsageError } from '../../errors.ts';
import type { Claim } from '../claim.ts';
import { cropsAndEnsembles } from './crops-and-ensembles.ts';
import { drawnOrReleased } from './drawn-or-released.ts';
import { residualConnections } from './residual-connections.ts';
import { residualScaling } from './residual-scaling.ts';
import { rmspropEpsilon } from './rmsprop-epsilon.ts';
import { sumNormalisation } from './sum-normalisation.ts';
import { twentyReplicas } from './twenty-replicas.ts';

export const claims: readonly Claim[] = [
  residualConnections,
  residualScaling,
  sumNormalisation,
  cropsAndEnsembles,
  rmspropEpsilon,
  twentyReplicas,
  drawnOrReleased,
];

/** @throws UsageError listing the claims */
export function findClaim(id: string): Claim {
  const claim = claims.find((each) => each.id === id);
  if (claim) return claim;
  throw new UsageError(`no claim is called '${id}'; there are ${claims.map((each) => each.id).join(', ')}`);
}
