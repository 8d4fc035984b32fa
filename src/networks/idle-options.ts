/**
 * Options that do nothing to a network, such as a residual scale without residual connections. Files of earlier versions may hold them, so
 * `configure` takes them; what a user asks for is refused here.
 */
import { NetworkOptionError, type NetworkOptionName, type NetworkOptions } from './network-options.ts';
import { type Layer, layersIn, meaningOf, type Network, type Stage } from './notation.ts';

interface Asked {
  readonly network: Network;
  readonly options: NetworkOptions;
  /** Every layer of the network, the auxiliary head's too where it is asked for. */
  readonly layers: readonly Layer[];
}

const lacksResiduals = ({ layers }: Asked): string | undefined =>
  layers.some(({ kind }) => kind === 'residual') ? undefined : 'it has no residual connections';

const hasScale = (layers: readonly Layer[]): boolean =>
  // A residual that is drawn unscaled stays so.
  layers.some((layer) => layer.kind === 'residual' && layer.scale !== 1);

/** What the network lacks for each option, or undefined. Options that are not here change any network, or `configure` refuses them. */
const lacks: { readonly [K in NetworkOptionName]?: (asked: Asked) => string | undefined } = {
  shortcuts: lacksResiduals,
  sumNorm: (asked) =>
    asked.options.shortcuts === false ? 'without shortcuts it has no sums' : lacksResiduals(asked),
  residualScale: ({ network, options: { residualScale, shortcuts }, layers }) => {
    if (!hasScale(layers)) return 'it has no scaled residual connections';
    if (shortcuts === false) return 'without shortcuts residuals are not scaled';
    if (typeof residualScale !== 'object') return undefined;
    const idle = (Object.keys(residualScale) as Stage[]).find((stage) => {
      const layer = network.layers[network.stages?.[stage] ?? ''];
      return layer !== undefined && !hasScale(layersIn([layer]));
    });
    return idle && `stage ${idle} has no scaled residual connections`;
  },
  dropoutKeep: ({ options: { classes }, layers }) =>
    !layers.some(({ kind }) => kind === 'dropout')
      ? 'it has no dropout'
      : classes === 0
        ? 'without a classifier (classes: 0) it has no dropout'
        : undefined,
  hidden: ({ options: { classes, hidden = [] } }) =>
    classes === 0 && hidden.length > 0
      ? 'without a classifier (classes: 0) it has no hidden layers'
      : undefined,
  gamma: ({ layers }) =>
    layers.some((layer) => (layer.kind === 'conv' || layer.kind === 'depthwise') && layer.norm !== false)
      ? undefined
      : 'it has no batch normalisation',
  countPadding: ({ layers }) =>
    layers.some((layer) => layer.kind === 'avgPool' && meaningOf(layer.marks).padding === 'same')
      ? undefined
      : 'it has no average pooling with padding',
};

/** @throws NetworkOptionError naming the option that has no effect, and why */
export function refuseIdleOptions(network: Network, options: NetworkOptions): void {
  const head = options.auxiliary && network.auxiliary ? Object.values(network.auxiliary.layers) : [];
  const layers = layersIn([...Object.values(network.layers), ...head]);
  for (const name of Object.keys(options) as NetworkOptionName[]) {
    const reason = options[name] === undefined ? undefined : lacks[name]?.({ network, options, layers });
    if (reason !== undefined)
      throw new NetworkOptionError(`network option '${name}': has no effect in ${network.name}: ${reason}`);
  }
}
