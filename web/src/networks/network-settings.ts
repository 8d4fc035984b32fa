/** A network with its options, read from and written to the page's URL, under the options' own names. */
import { type DrawnOptions, drawnOptions } from '../../../src/networks/drawn-options.ts';
import {
  type NetworkOptionName,
  type NetworkOptions,
  networkOptionNames,
  networkOptions,
  stages,
} from '../../../src/networks/network-options.ts';
import { findNetwork, networks } from '../../../src/networks/networks.ts';
import type { Stage } from '../../../src/networks/notation.ts';
import type { Option } from '../../../src/option.ts';

/** Two networks can be shown; the settings of the second have a prefix. */
export type Side = 'first' | 'second';

export const settingName = (side: Side, name: string): string => (side === 'first' ? name : `other.${name}`);

export const defaultNetwork = (side: Side): string =>
  side === 'first' ? 'inception-resnet-v2' : 'inception-resnet-v2-released';

export function readNetwork(settings: URLSearchParams, side: Side): string {
  const name = settings.get(settingName(side, 'network'));
  return networks.some((network) => network.name === name) ? (name as string) : defaultNetwork(side);
}

/** The network that the address names, where there is none of that name. */
export function unknownNetwork(settings: URLSearchParams, side: Side): string | undefined {
  const name = settings.get(settingName(side, 'network')) ?? undefined;
  return name === readNetwork(settings, side) ? undefined : name;
}

/** The options for `configure`, which rejects invalid ones with a message. */
export function readOptions(settings: URLSearchParams, side: Side): NetworkOptions {
  const values = networkOptionNames.flatMap((name) => {
    const text = settings.get(settingName(side, name)) ?? '';
    return text === '' ? [] : [[name, networkOptions[name].parse(text)] as const];
  });
  return Object.fromEntries(values) as NetworkOptions;
}

/** A control for an option that applies to the network, with its default value. */
export interface Control {
  readonly name: NetworkOptionName;
  readonly option: Option<unknown>;
  readonly drawn: DrawnOptions[NetworkOptionName];
}

export function controlsOf(network: string): readonly Control[] {
  const drawn = drawnOptions(findNetwork(network));
  return networkOptionNames
    .filter((name) => drawn[name] !== undefined)
    .map((name) => ({ name, option: networkOptions[name], drawn: drawn[name] }));
}

/** URL text for one number per stage; undefined if nothing is set. */
export function writeStages(values: Readonly<Partial<Record<Stage, string>>>): string | undefined {
  const text = stages.map((stage) => values[stage] ?? '').join(',');
  return text === ',,' ? undefined : text;
}
