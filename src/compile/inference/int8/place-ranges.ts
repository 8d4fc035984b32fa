/** Says of each node how its result is stored in 8 bits, by the names under which the ranges were found. */
import type { Graph, Node } from '../../../graph/graph.ts';
import { valueNames } from '../../../graph/value-names.ts';
import type { Int8Ranges } from '../../../int8/quantisation.ts';
import { type Quantisation, quantisationOf } from '../../../int8/quantisation.ts';
import { CompileError } from '../../compile-error.ts';

/** Of the graph as an ONNX file is written from it: folded, and before siblings are merged. @throws CompileError for ranges of another network */
export function placeRanges(graph: Graph, ranges: Int8Ranges['ranges']): Graph {
  const names = valueNames(graph);
  const known = new Set(names);
  const unknown = Object.keys(ranges).find((name) => !known.has(name) && !isScaled(name, known));
  if (unknown !== undefined)
    throw new CompileError(
      `ranges: '${unknown}' is no value of ${graph.network.name}; these are the ranges of another network`,
    );
  const quantised = new Map<number, Quantisation>();
  for (const node of graph.nodes) {
    const range = ranges[names[node.id] as string];
    const steps = range
      ? quantisationOf({ low: range[0], high: range[1] })
      : passesOn(node)
        ? quantised.get(node.inputs[0] as number)
        : undefined;
    if (steps) quantised.set(node.id, steps);
  }
  return { ...graph, quantised };
}

/** A branch times its residual scale, where that is not folded into its weights: a value of the ONNX file alone. */
const isScaled = (name: string, known: ReadonlySet<string>): boolean =>
  name.endsWith('/scaled') && known.has(name.slice(0, -'/scaled'.length));

/** Operations that ONNX files do not have by themselves: padding is part of the window after it. */
const passesOn = ({ op }: Node): boolean => op === 'pad' || op === 'dropout';
