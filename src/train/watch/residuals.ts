/**
 * The state of residual blocks during a training: how large each residual is beside what it is added to, and how much of the sum is zero.
 * It tells of a network that becomes unstable before its last features are all zero (docs/training.md).
 */
import { compileInference } from '../../compile/inference/compile-inference.ts';
import { DataError } from '../../data/data-error.ts';
import type { Dataset } from '../../data/dataset.ts';
import { readViews } from '../../data/read-view.ts';
import { subset } from '../../data/selection.ts';
import type { Engine, LoadedProgram, Store } from '../../engine/engine.ts';
import type { Graph } from '../../graph/graph.ts';
import { isResidual } from '../../graph/parts.ts';
import { inputBytes } from '../../images/preprocess.ts';
import type { Configuration } from '../configuration/configuration.ts';
import type { BlockState } from '../run/records.ts';

/** Of an evaluation's images: enough for a mean over positions and channels, and few enough to cost nothing. */
const watchedImages = 16;

interface Block {
  /** Of the sum: `inceptionResnetA/0`. */
  readonly name: string;
  readonly shortcut: number;
  readonly residual: number;
  /** Of what leaves the block, after its ReLU. */
  readonly output: number;
}

/** Sums whose second addend is a block's linear convolution, by the structure of the graph. */
function residualBlocks({ nodes, endpoints }: Graph): readonly Block[] {
  return nodes.flatMap((node) => {
    const [shortcut = -1, residual = -1] = node.inputs;
    const added = nodes[residual];
    return node.op === 'scaledAdd' && added && isResidual(added)
      ? [{ name: node.path, shortcut, residual, output: endpoints.get(node.path) ?? node.id }]
      : [];
  });
}

const [shortcutOf, residualOf, outputOf] = ['shortcut', 'residual', 'output'].map(
  (part) => (block: string) => `${block} ${part}`,
) as [(block: string) => string, (block: string) => string, (block: string) => string];

/** The graph with what is watched as named parts: no pass then takes one of them away. */
const withParts = (graph: Graph, blocks: readonly Block[]): Graph => ({
  ...graph,
  endpoints: new Map([
    ...graph.endpoints,
    ...blocks.flatMap(({ name, shortcut, residual, output }) => [
      [shortcutOf(name), shortcut] as const,
      [residualOf(name), residual] as const,
      [outputOf(name), output] as const,
    ]),
  ]),
});

interface Watched {
  readonly engine: Engine;
  /** Of the training, with what its predictor has prepared: the residuals' scale is folded into their convolutions there. */
  readonly store: Store;
  readonly configuration: Pick<Configuration, 'precision' | 'preprocessing'>;
  readonly dataset: Dataset;
}

export interface ResidualWatch {
  /** Of the averaged weights as the predictor has prepared them last; undefined where there is nothing to watch. */
  look(): Promise<readonly BlockState[] | undefined>;
  release(): void;
}

/** Watches the residual blocks on a few images of a data set, which are read once. */
export function watchResiduals(
  graph: Graph,
  { engine, store, configuration, dataset }: Watched,
): ResidualWatch {
  const blocks = residualBlocks(graph);
  const names = blocks.map(({ name }) => name);
  let opened: { readonly program: LoadedProgram; readonly images: Uint8Array } | undefined;
  const open = async () => {
    const { precision, preprocessing } = configuration;
    const { mean, std } = preprocessing;
    const images = await imagesOf(dataset, preprocessing);
    if (images.length === 0) return undefined;
    const { predict } = compileInference(withParts(graph, blocks), {
      ...{ batch: images.length / inputBytes(preprocessing), precision, scaling: { mean, std } },
      ...{ kernels: engine.facts.kernels, parameters: 'averages' },
      summaries: {
        norms: names.flatMap((name) => [shortcutOf(name), residualOf(name)]),
        zeros: names.map(outputOf),
      },
    });
    return { program: await engine.load(predict, store), images };
  };
  return {
    look: async () => {
      if (blocks.length === 0) return undefined;
      opened ??= await open();
      if (!opened) return undefined;
      const outputs = await opened.program.run({ images: opened.images });
      const number = (name: string) => Number(outputs[name]?.data[0]);
      return names.map((block) => {
        const ratio = number(`norm ${residualOf(block)}`) / number(`norm ${shortcutOf(block)}`);
        return {
          block,
          residualRatio: Number.isFinite(ratio) ? ratio : null,
          zeroShare: number(`zeros ${outputOf(block)}`),
        };
      });
    },
    release: () => opened?.program.release(),
  };
}

/** Images that cannot be read are left out: the evaluation says which they are. */
async function imagesOf(
  dataset: Dataset,
  preprocessing: Configuration['preprocessing'],
): Promise<Uint8Array> {
  const chosen = subset(dataset, watchedImages);
  const size = inputBytes(preprocessing);
  const bytes = new Uint8Array(chosen.length * size);
  let count = 0;
  for (let index = 0; index < chosen.length; index++)
    try {
      const [[view] = []] = await readViews(chosen, index, {
        networks: [preprocessing],
        views: { crops: 1 },
      });
      view?.write(bytes, count++ * size);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
    }
  return bytes.subarray(0, count * size);
}
