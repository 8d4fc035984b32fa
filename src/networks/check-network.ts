/** Checks that a network's figures are well formed before a graph is built from them. */
import { UsageError } from '../errors.ts';
import { blockAt, type Layer, layersInside, type Network } from './notation.ts';

/** A network that is not well formed, or whose name is taken. */
export class NetworkError extends UsageError {
  override name = 'NetworkError';
}

/** More layers than this are a mistake or a malicious model file: the largest network here has about 500. */
const maxLayers = 20_000;

/** Keys that have another meaning in the graph. */
const reserved: readonly string[] = ['auxiliary', 'input'];

/** @throws NetworkError saying what is wrong and what is expected. Shape errors are found when the graph is built. */
export function checkNetwork(network: Network): void {
  const { name, layers, auxiliary, stages = {} } = network;
  const fail = (problem: string): never => {
    throw new NetworkError(`network '${name}': ${problem}`);
  };
  if (!/^[A-Za-z0-9][\w.-]*$/.test(name))
    fail("a name is letters, digits, '-', '.' and '_', as 'my-network-v2'");
  for (const [head, headLayers] of [
    ['layers', layers],
    ['auxiliary.layers', auxiliary?.layers],
  ] as const) {
    if (!headLayers) continue;
    for (const key of Object.keys(headLayers)) {
      if (!/^[A-Za-z]\w*$/.test(key) || reserved.includes(key))
        fail(
          `${head}: '${key}' cannot be a key; keys are letters and digits, as 'stem' or 'inceptionA', and not ${reserved.join(' or ')}`,
        );
    }
    if (Object.values(headLayers).at(-1)?.kind !== 'fullyConnected')
      fail(`${head}: the last layer must be fullyConnected(), which has one output per class`);
    const count = Object.values(headLayers).reduce((sum, layer) => sum + countLayers(layer), 0);
    if (count > maxLayers) fail(`${head}: ${count} layers exceed the maximum of ${maxLayers}`);
  }
  for (const [stage, key] of Object.entries(stages)) {
    if (layers[key]?.kind !== 'repeat') fail(`stages.${stage}: '${key}' is not the key of a repeat(...)`);
  }
  if (auxiliary && !layers[auxiliary.after.split('/')[0] as string])
    fail(`auxiliary.after: there is no layer '${auxiliary.after}'`);
}

/** The number of layers in a layer, itself included; a sequence is its layers. */
function countLayers(layer: Layer): number {
  if (layer.kind === 'repeat') {
    if (layer.count < 3) return sumOf(layer.count, (index) => countLayers(blockAt(layer, index)));
    const ends = countLayers(blockAt(layer, 0)) + countLayers(blockAt(layer, layer.count - 1));
    return ends + (layer.count - 2) * countLayers(layer.block);
  }
  const itself = layer.kind === 'sequence' ? 0 : 1;
  return layersInside(layer).reduce((sum, inner) => sum + countLayers(inner), itself);
}

const sumOf = (count: number, term: (index: number) => number): number =>
  Array.from({ length: count }, (_, index) => term(index)).reduce((sum, value) => sum + value, 0);
