/** The network's named parts as outputs of a program. */

import type { Graph } from '../graph/graph.ts';
import { CompileError } from './compile-error.ts';
import type { Emitter } from './emitter.ts';
import type { Result } from './rules/rule.ts';

/** Node ids of the named endpoints. @throws CompileError listing the names that exist. */
export function endpointIds(graph: Graph, names: readonly string[]): ReadonlyMap<string, number> {
  return new Map(
    names.map((name) => {
      const id = graph.endpoints.get(name);
      if (id !== undefined) return [name, id];
      throw new CompileError(
        `there is no endpoint '${name}'; there are ${[...graph.endpoints.keys()].join(', ')}`,
      );
    }),
  );
}

/** Emits each endpoint as a float32 output under its name. */
export function returnEndpoints(
  emitter: Emitter,
  endpoints: ReadonlyMap<string, number>,
  lowered: readonly Result[],
): void {
  for (const [name, id] of endpoints) {
    const { value } = lowered[id] as Result;
    emitter.output(name, emitter.call('aten::_to_copy', [value], { dtype: { dtype: 'float32' } }));
  }
}
