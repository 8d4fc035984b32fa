/** A store in JavaScript's memory, in the place of an engine's, for tests of what is written and read back. */
import type { HostArray, Store } from '../src/engine/engine.ts';
import { buildGraph } from '../src/graph/build-graph.ts';
import { parametersOf } from '../src/graph/graph.ts';
import { configure } from '../src/networks/networks.ts';
import { conv, fullyConnected, globalAvgPool } from '../src/networks/notation.ts';

export const smallestNetwork = {
  name: 'smallest',
  about: 'one convolution and a classifier',
  input: [8, 8, 3],
  classes: 2,
  layers: { stem: conv('3x3', 2), averagePooling: globalAvgPool(), logits: fullyConnected() },
} as const;

export const smallestGraph = buildGraph(configure(smallestNetwork, {}));

/** A store of the smallest network that gives every tensor this value until another is written. */
export function memoryStore(fill: number) {
  const written = new Map<string, HostArray>();
  const shapes = new Map(
    parametersOf(smallestGraph).flatMap(({ name, shape }) =>
      ['', 'averages/', 'momentum/'].map((prefix) => [prefix + name, shape] as const),
    ),
  );
  const store: Store = {
    names: [...shapes.keys()],
    bytes: 0,
    write: async (name, data) => void written.set(name, data),
    read: async (name) => {
      const shape = shapes.get(name) ?? [];
      const length = shape.reduce((product, size) => product * size, 1);
      const data = written.get(name) ?? new Float32Array(length).fill(fill);
      return { dtype: 'float32', shape, data };
    },
    checksum: async () => '0'.repeat(16),
    seed: async () => {},
    randomState: async () => Uint8Array.of(fill, 7),
    setRandomState: async (state) => void written.set('randomState', state),
    release: () => {},
  };
  return { store, written };
}
