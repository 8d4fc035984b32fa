/** The network's named parts as outputs of a program. */

import type { Graph } from '../graph/graph.ts';
import { CompileError } from './compile-error.ts';
import type { Emitter } from './emitter.ts';
import type { InferenceOptions } from './options.ts';
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

/** Emits the norm and the share of zeros of endpoints, over the whole batch: see `InferenceOptions.summaries`. */
export function returnSummaries(
  emitter: Emitter,
  graph: Graph,
  {
    lowered,
    summaries: { norms, zeros },
  }: { readonly lowered: readonly Result[]; readonly summaries: Required<InferenceOptions>['summaries'] },
): void {
  const dtype = { dtype: { dtype: 'float32' } } as const;
  const resultOf = (id: number) => (lowered[id] as Result).value;
  for (const [name, id] of endpointIds(graph, norms))
    emitter.output(`norm ${name}`, emitter.call('aten::linalg_vector_norm', [resultOf(id), 2], dtype));
  for (const [name, id] of endpointIds(graph, zeros)) {
    const isZero = emitter.call('aten::eq.Scalar', [resultOf(id), 0]);
    emitter.output(`zeros ${name}`, emitter.call('aten::mean', [isZero], dtype));
  }
}
