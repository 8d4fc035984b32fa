/** How large residuals are beside what they are added to, block by block, in a trained network. */

import { subset } from '../../data/selection.ts';
import { openSplits } from '../../data/splits/open-splits.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Graph, Node } from '../../graph/graph.ts';
import { inputBytes, preprocess } from '../../images/preprocess.ts';
import { loadModel } from '../../predict/load-model.ts';
import { openModel } from '../../predict/open-model.ts';

export interface BlockNorm {
  /** `inceptionResnetA/0` */
  readonly block: string;
  /** Euclidean norm of the residual, scaled as it is added, over that of the shortcut, for a batch of images. */
  readonly ratio: number;
}

const images = 16;

/** @param run a run folder @returns undefined where the network has no residual sums */
export async function residualNorms(
  run: string,
  { data, engine }: { readonly data: string; readonly engine: Engine },
): Promise<readonly BlockNorm[]> {
  const model = await openModel(run);
  try {
    const sums = residualSums(model.graph);
    const named = { ...model, graph: withEndpoints(model.graph, sums) };
    const loaded = await loadModel(named, { engine, batch: images, precision: 'float32' });
    const { preprocessing } = model.description;
    const { train, validation } = await openSplits(data, {});
    const dataset = subset(validation ?? train, images);
    const size = inputBytes(preprocessing);
    const bytes = new Uint8Array(dataset.length * size);
    for (let index = 0; index < dataset.length; index++)
      preprocess(await dataset.image(index), preprocessing, bytes, index * size);
    const endpoints = sums.flatMap(({ block }) => [residualOf(block), shortcutOf(block)]);
    const outputs = await loaded.features(bytes, { endpoints });
    loaded.release();
    return sums.map(({ block }) => ({
      block,
      ratio: norm(outputs[residualOf(block)]?.data) / norm(outputs[shortcutOf(block)]?.data),
    }));
  } finally {
    await model.close();
  }
}

const residualOf = (block: string) => `${block} residual`;
const shortcutOf = (block: string) => `${block} shortcut`;

/** Sums whose second addend is a block's linear convolution, by the structure of the graph. */
const residualSums = ({ nodes }: Graph) =>
  nodes.flatMap((node) => {
    const [shortcut = -1, residual = -1] = node.inputs;
    const isResidual =
      node.op === 'scaledAdd' &&
      nodes[residual]?.parameters.members.some(
        (member) => (member as { weight?: { role: string } }).weight?.role === 'residualWeight',
      );
    return isResidual ? [{ block: (node as Node).path, shortcut, residual }] : [];
  });

/** Both addends of every sum as named parts. The residual's convolution has the scale folded into it, so that it is what is added. */
function withEndpoints(graph: Graph, sums: ReturnType<typeof residualSums>): Graph {
  const added = sums.flatMap(({ block, shortcut, residual }) => [
    [residualOf(block), residual] as const,
    [shortcutOf(block), shortcut] as const,
  ]);
  return { ...graph, endpoints: new Map([...graph.endpoints, ...added]) };
}

const norm = (values: ArrayLike<number | bigint> | undefined): number =>
  Math.sqrt(Array.from(values ?? [], Number).reduce((sum, value) => sum + value * value, 0));
