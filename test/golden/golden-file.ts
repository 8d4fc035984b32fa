/** The tensors of golden models as open files of weights. */
import { elementCount } from '../../src/graph/graph.ts';
import type { NamedTensor, TensorFile } from '../../src/weights/tensor-file.ts';
import { type GoldenModel, readParams } from './fixture.ts';
import { goldenTensor } from './prng.ts';

/** The tensors of a fixture as an open file; values are generated on reading. */
export function goldenFile(
  model: GoldenModel,
  changes: Readonly<Record<string, readonly number[] | undefined>> = {},
): TensorFile {
  const { params } = readParams(model);
  const known = params.filter(({ name }) => !(name in changes) || changes[name] !== undefined);
  const shapes = new Map(known.map(({ name, shape }) => [name, changes[name] ?? shape]));
  for (const [name, shape] of Object.entries(changes)) if (shape) shapes.set(name, shape);
  const byName = new Map(known.map((tensor) => [tensor.name, tensor]));
  return {
    format: 'safetensors',
    metadata: new Map(),
    tensors: new Map([...shapes].map(([name, shape]) => [name, { name, dtype: 'F32', shape }])),
    read: async (name): Promise<NamedTensor> => {
      const tensor = byName.get(name);
      const shape = shapes.get(name) as readonly number[];
      const data = tensor ? goldenTensor(tensor) : new Float32Array(elementCount(shape));
      return { name, dtype: 'F32', shape, data };
    },
    close: async () => undefined,
  };
}
