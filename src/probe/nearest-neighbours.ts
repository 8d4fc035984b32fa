/** The nearest images by the cosine of their features, and the classifier that they make. */
import { Emitter } from '../compile/emitter.ts';
import { finish } from '../compile/program-passes/finish/finish.ts';
import type { Engine } from '../engine/engine.ts';

export interface Neighbours {
  /** [queries, count]: rows of the reference, nearest first. */
  readonly rows: Int32Array;
  /** [queries, count]: cosines, −1 to 1. */
  readonly similarities: Float32Array;
  readonly count: number;
}

export interface NeighbourOptions {
  /** [rows, features] */
  readonly reference: Float32Array;
  /** [queries, features]; undefined for those of the reference among each other, where no row is its own neighbour. */
  readonly queries?: Float32Array | undefined;
  readonly features: number;
  /** Neighbours of each query; fewer if the reference has fewer. */
  readonly count: number;
}

/** Queries at a time: bounds the matrix of similarities. */
const block = 256;

export async function nearestNeighbours(
  engine: Engine,
  { reference, queries, features, count: wanted }: NeighbourOptions,
): Promise<Neighbours> {
  const rows = reference.length / features;
  const own = queries === undefined;
  const count = Math.min(wanted, own ? rows - 1 : rows);
  const unit = normalised(reference, features);
  const asked = own ? unit : normalised(queries, features);
  const queryCount = asked.length / features;
  const store = await engine.createStore({
    tensors: [{ name: 'reference', dtype: 'float32', shape: [rows, features] }],
    views: [],
  });
  const program = await engine.load(
    nearestProgram({ rows, features, count: own ? count + 1 : count }),
    store,
  );
  try {
    await store.write('reference', unit);
    const found = {
      rows: new Int32Array(queryCount * count),
      similarities: new Float32Array(queryCount * count),
    };
    for (let first = 0; first < queryCount; first += block) {
      const input = new Float32Array(block * features);
      input.set(asked.subarray(first * features, (first + block) * features));
      const { indices, cosines } = await program.run({ queries: input });
      const width = indices?.shape[1] ?? count;
      for (let query = first; query < Math.min(queryCount, first + block); query++) {
        const candidates = Array.from({ length: width }, (_, at) => (query - first) * width + at)
          .map((at) => ({ row: Number(indices?.data[at]), similarity: Number(cosines?.data[at]) }))
          .filter(({ row }) => !own || row !== query)
          .slice(0, count);
        for (const [at, { row, similarity }] of candidates.entries()) {
          found.rows[query * count + at] = row;
          found.similarities[query * count + at] = similarity;
        }
      }
    }
    return { ...found, count };
  } finally {
    program.release();
    store.release();
  }
}

function nearestProgram({ rows, features, count }: { rows: number; features: number; count: number }) {
  const emitter = new Emitter();
  const queries = emitter.input('queries', 'float32', [block, features]);
  emitter.layer = 'neighbours';
  const similarities = emitter.call('aten::mm', [
    queries,
    emitter.call('aten::t', [emitter.load('reference')]),
  ]);
  const [cosines, indices] = emitter.calls('aten::topk', [similarities, count, 1, true, true], 2);
  emitter.output('cosines', cosines);
  emitter.output('indices', indices);
  return finish(emitter.draft(`nearest ${count} of ${rows} by ${features} features`));
}

/** Rows of length 1; a row of zeros stays one, and is near to nothing. */
export function normalised(values: Float32Array, features: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let first = 0; first < values.length; first += features) {
    let squares = 0;
    for (let at = first; at < first + features; at++) squares += (values[at] as number) ** 2;
    const length = Math.sqrt(squares) || 1;
    for (let at = first; at < first + features; at++) result[at] = (values[at] as number) / length;
  }
  return result;
}

/** The class that most of the first `k` neighbours have; of equally many, the one whose neighbours are nearer in sum. */
export function vote(
  { rows, similarities, count }: Neighbours,
  { query, k, labels }: { readonly query: number; readonly k: number; readonly labels: readonly number[] },
): number {
  const votes = new Map<number, { images: number; nearness: number }>();
  for (let at = query * count; at < query * count + Math.min(k, count); at++) {
    const label = labels[rows[at] as number] as number;
    const { images, nearness } = votes.get(label) ?? { images: 0, nearness: 0 };
    votes.set(label, { images: images + 1, nearness: nearness + (similarities[at] as number) });
  }
  const ranked = [...votes].sort(([, a], [, b]) => b.images - a.images || b.nearness - a.nearness);
  return ranked[0]?.[0] ?? -1;
}
