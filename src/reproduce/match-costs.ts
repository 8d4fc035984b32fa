/** Networks of equal cost: the width at which one network has the multiply-adds of another. Pure. */
import { buildGraph } from '../graph/build-graph.ts';
import { costsOf } from '../graph/costs.ts';
import type { Graph } from '../graph/graph.ts';
import { configure, findNetwork, type NetworkOptions } from '../networks/networks.ts';
import type { Network } from '../networks/notation.ts';

export interface Sized {
  readonly network: string;
  readonly figure?: Network;
  readonly options: NetworkOptions;
}

export const graphOfArm = (
  { network, figure, options }: Sized,
  { classes }: { readonly classes?: number } = {},
): Graph =>
  buildGraph(
    configure(figure ?? findNetwork(network), { ...options, ...(classes !== undefined && { classes }) }),
  );

export const macsOf = (sized: Sized): number => costsOf(graphOfArm(sized)).macs;

/** Filters are rounded to multiples of 8, so that costs move in small steps: finer than this, widths give the same network. */
const step = 0.0025;
/** The width is searched within this factor of the network's own. */
const factor = 2;

/** The options with the width at which the network's multiply-adds are closest to those of the other one. */
export function atCostOf(sized: Sized, target: Sized): NetworkOptions {
  const macs = macsOf(target);
  const { width = 1 } = sized.options;
  // Costs rise with the width, so that the closest widths are on both sides of the first one that costs more.
  let [low, high] = [Math.ceil(width / factor / step), Math.floor((width * factor) / step)];
  const at = (index: number): NetworkOptions => ({ ...sized.options, width: +(index * step).toFixed(4) });
  const costAt = (index: number) => macsOf({ ...sized, options: at(index) });
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (costAt(middle) >= macs) high = middle;
    else low = middle;
  }
  const [below, above] = [low, high].map((index) => Math.abs(costAt(index) - macs)) as [number, number];
  return at(below <= above ? low : high);
}
