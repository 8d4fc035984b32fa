/** Whether a network's figures are well formed, before anything is derived from them. */
import { UsageError } from '../errors.ts';
import { blockAt, type Layer, type Network } from './notation.ts';

/** A network that is not well formed, or whose name is taken. */
export class NetworkError extends UsageError {
  override name = 'NetworkError';
}

/** More layers than this are a mistake, or an attack by a model file: the largest network here has about 500. */
const mostLayers = 20_000;

/** Keys that are names of something else in the graph. */
const reserved: readonly string[] = ['auxiliary', 'input'];

/** @throws NetworkError saying what is wrong and how it is meant. What depends on shapes is found by building the graph. */
export function checkNetwork(network: Network): void {
  const { name, layers, auxiliary, stages = {} } = network;
  const fail = (problem: string): never => {
    throw new NetworkError(`network '${name}': ${problem}`);
  };
  if (!/^[A-Za-z0-9][\w.-]*$/.test(name))
    fail("a name is letters, digits, '-', '.' and '_', as 'my-network-v2'");
  for (const [head, of] of [
    ['layers', layers],
    ['auxiliary.layers', auxiliary?.layers],
  ] as const) {
    if (!of) continue;
    for (const key of Object.keys(of)) {
      if (!/^[A-Za-z]\w*$/.test(key) || reserved.includes(key))
        fail(
          `${head}: '${key}' cannot be a key; keys are letters and digits, as 'stem' or 'inceptionA', and not ${reserved.join(' or ')}`,
        );
    }
    if (Object.values(of).at(-1)?.kind !== 'fullyConnected')
      fail(`${head}: the last layer has to be fullyConnected(), which gives one output for each class`);
    const count = Object.values(of).reduce((sum, layer) => sum + layersIn(layer), 0);
    if (count > mostLayers) fail(`${head}: ${count} layers are more than ${mostLayers}`);
  }
  for (const [stage, key] of Object.entries(stages)) {
    if (layers[key]?.kind !== 'repeat') fail(`stages.${stage}: '${key}' is not the key of a repeat(...)`);
  }
  if (auxiliary && !layers[auxiliary.after.split('/')[0] as string])
    fail(`auxiliary.after: there is no layer '${auxiliary.after}'`);
}

/** How many layers a layer becomes. */
function layersIn(layer: Layer): number {
  switch (layer.kind) {
    case 'sequence':
      return layer.layers.reduce((sum, each) => sum + layersIn(each), 0);
    case 'repeat': {
      if (layer.count < 3) return sumOf(layer.count, (index) => layersIn(blockAt(layer, index)));
      const ends = layersIn(blockAt(layer, 0)) + layersIn(blockAt(layer, layer.count - 1));
      return ends + (layer.count - 2) * layersIn(layer.block);
    }
    case 'filterConcat':
    case 'residual':
    case 'sum':
      return layer.branches.flat().reduce((sum, each) => sum + layersIn(each), 1);
    // Written one by one, so that a new kind that holds layers is counted with them.
    case 'conv':
    case 'depthwise':
    case 'relu':
    case 'maxPool':
    case 'avgPool':
    case 'globalAvgPool':
    case 'dropout':
    case 'fullyConnected':
    case 'embedding':
      return 1;
  }
}

const sumOf = (count: number, of: (index: number) => number): number =>
  Array.from({ length: count }, (_, index) => of(index)).reduce((sum, value) => sum + value, 0);
