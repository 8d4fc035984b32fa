/** The option values of a network as drawn. */
import type { NetworkOptionName, NetworkOptions, PerStage } from './network-options.ts';
import { stageOf } from './networks.ts';
import { type Layer, layersIn, type Network, type Stage } from './notation.ts';

/** The value of every option in the network as drawn; undefined where an option does not apply. */
export type DrawnOptions = { readonly [K in NetworkOptionName]: NetworkOptions[K] | undefined };

export function drawnOptions(network: Network): DrawnOptions {
  const [height, width, inputChannels] = network.input;
  const layers = Object.values(network.layers);
  const repeats = Object.entries(network.layers).flatMap(([key, layer]) => {
    const stage = stageOf(network, key);
    return stage && layer.kind === 'repeat' ? [{ stage, layer }] : [];
  });
  const hasResiduals = layersIn(layers).some(({ kind }) => kind === 'residual');
  const perStage = (entries: readonly (readonly [Stage, number])[]): PerStage | undefined =>
    entries.length === 0 ? undefined : Object.fromEntries(entries);
  return {
    classes: network.classes,
    inputSize: height === width ? height : [height, width],
    width: 1,
    blocks: perStage(repeats.map(({ stage, layer }) => [stage, layer.count])),
    residualScale: perStage(
      repeats.flatMap(({ stage, layer: { block } }) =>
        block.kind === 'residual' ? [[stage, block.scale] as const] : [],
      ),
    ),
    shortcuts: hasResiduals ? true : undefined,
    sumNorm: hasResiduals ? 'none' : undefined,
    auxiliary: network.auxiliary ? false : undefined,
    dropoutKeep: firstOf(layers, 'dropout')?.keep,
    inputChannels,
    embedding: firstOf(layers, 'embedding')?.features,
    hidden: [],
    gamma: true,
    countPadding: false,
  };
}

const firstOf = <K extends Layer['kind']>(layers: readonly Layer[], kind: K) =>
  layers.find((layer): layer is Extract<Layer, { kind: K }> => layer.kind === kind);
