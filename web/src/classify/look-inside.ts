/** What is inside a model: a second session, whose outputs are the values between its layers, opened when somebody first looks. */

import type { ModelDescription } from '../../../src/model/description.ts';
import { graphOf } from '../../../src/model/description.ts';
import { addOutputs } from '../../../src/onnx/add-outputs.ts';
import type { ShapedGraph } from '../../../src/onnx/shapes/value.ts';
import { firstFilters, type Inside } from './messages.ts';
import { type Network, openNetwork } from './session.ts';

export interface Insides {
  /** Parts with a grid of more than one cell, in the network's order. */
  readonly parts: readonly string[];
  look(input: Uint8Array, part: string): Promise<Inside>;
  close(): Promise<void>;
}

interface InsideOptions {
  readonly path: string;
  readonly description: ModelDescription;
  readonly shaped: ShapedGraph;
}

/** `bytes` is a file of this package's: the values that a part hands on have its name. */
export function insidesOf(bytes: Uint8Array, { path, description, shaped }: InsideOptions): Insides {
  const graph = graphOf(description);
  const values = new Set(shaped.nodes.flatMap(({ outputs }) => outputs));
  const parts = [...graph.endpoints].flatMap(([name, id]) => {
    const [height = 0, width = 0] = graph.nodes[id]?.shape ?? [];
    return height * width > 1 && values.has(name) ? [name] : [];
  });
  const filters = shaped.nodes.find(({ op }) => op === 'Conv')?.inputs[1];
  let opening: Promise<Network> | undefined;
  const open = () => {
    opening ??= openNetwork(addOutputs(bytes, [...parts, ...(filters === undefined ? [] : [filters])]), {
      path,
      preprocessing: description.preprocessing,
      softmax: false,
    });
    return opening;
  };
  return {
    parts,
    look: async (input, part) => {
      const begin = performance.now();
      const isFilters = part === firstFilters && filters !== undefined;
      const { dims, values } = await (await open()).output(input, isFilters ? filters : part);
      const [first = 0, channels = 0, height = 0, width = 0] = dims;
      const colours = isFilters && channels === 3 ? 3 : 1;
      const images = isFilters ? (first * channels) / colours : channels;
      if (images * height * width * colours !== values.length)
        throw new Error(`${path}: expected grids of ${part}, received [${dims.join(', ')}]`);
      return {
        ...{ part, height, width, colours },
        values: colours === 3 ? interleaved(values, { images, pixels: height * width }) : values,
        elapsedMs: performance.now() - begin,
      };
    },
    close: async () => (await opening)?.close(),
  };
}

/** [images, 3, pixels] as [images, pixels, 3] */
function interleaved(
  values: Float32Array,
  { images, pixels }: { images: number; pixels: number },
): Float32Array {
  const result = new Float32Array(values.length);
  for (let image = 0; image < images; image++)
    for (let colour = 0; colour < 3; colour++)
      for (let pixel = 0; pixel < pixels; pixel++)
        result[(image * pixels + pixel) * 3 + colour] = values[
          (image * 3 + colour) * pixels + pixel
        ] as number;
  return result;
}
