/** A network with its options, from and to the settings in the page's address. */

import { findNetwork, type NetworkOptions, networks, stageOf } from '../../../src/networks/networks.ts';
import type { Residual, Stage } from '../../../src/networks/notation.ts';

/** Two networks may be shown; the second one's settings have a prefix. */
export type Side = 'first' | 'second';

export const stages: readonly Stage[] = ['A', 'B', 'C'];

export const settingName = (side: Side, name: string): string => (side === 'first' ? name : `other.${name}`);

export const defaultNetwork = (side: Side): string =>
  side === 'first' ? 'inception-resnet-v2' : 'inception-resnet-v2-released';

/** Every setting that belongs to the network's options, for taking them all back. */
export const optionNames = [
  'classes',
  'size',
  'width',
  'blocks',
  'scale',
  'auxiliary',
  'keep',
  'channels',
  'embedding',
  'gamma',
  'padding',
] as const;
export type OptionName = (typeof optionNames)[number];

export function readNetwork(settings: URLSearchParams, side: Side): string {
  const name = settings.get(settingName(side, 'network'));
  return networks.some((network) => network.name === name) ? (name as string) : defaultNetwork(side);
}

/** The options as `configure` takes them; what does not fit is refused there, in its words. */
export function readOptions(settings: URLSearchParams, side: Side): NetworkOptions {
  const text = (name: OptionName) => settings.get(settingName(side, name)) ?? undefined;
  const number = (name: OptionName) => {
    const value = text(name);
    return value === undefined || value === '' ? undefined : Number(value);
  };
  const size = text('size');
  const sides = size?.split('x').map(Number);
  const options = {
    classes: number('classes'),
    inputSize: sides?.length === 2 ? ([sides[0], sides[1]] as [number, number]) : number('size'),
    width: number('width'),
    blocks: readStages(text('blocks')),
    residualScale: text('scale') === 'off' ? ('off' as const) : readStages(text('scale')),
    auxiliary: text('auxiliary') === 'yes' ? true : undefined,
    dropoutKeep: number('keep'),
    inputChannels: number('channels'),
    embedding: number('embedding'),
    gamma: text('gamma') === 'no' ? false : undefined,
    countPadding: text('padding') === 'counted' ? true : undefined,
  };
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as NetworkOptions;
}

/** `4,,3` are 4 for A and 3 for C. */
export function readStages(text: string | undefined): Partial<Record<Stage, number>> | undefined {
  if (text === undefined) return undefined;
  const values = text.split(',');
  const entries = stages.flatMap((stage, index) => {
    const value = values[index];
    return value === undefined || value === '' ? [] : [[stage, Number(value)] as const];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** The other way; undefined if nothing is set. */
export function writeStages(values: Readonly<Partial<Record<Stage, string>>>): string | undefined {
  const text = stages.map((stage) => values[stage] ?? '').join(',');
  return text === ',,' ? undefined : text;
}

/** What a network has as drawn: the defaults that the controls show. */
export interface Drawn {
  readonly blocks: Partial<Record<Stage, number>>;
  /** Empty for a network without residuals. */
  readonly scales: Partial<Record<Stage, number>>;
  readonly embedding: number | undefined;
  readonly input: readonly [number, number, number];
  readonly keep: number | undefined;
}

export function drawnOf(name: string): Drawn {
  const network = findNetwork(name);
  const blocks: Partial<Record<Stage, number>> = {};
  const scales: Partial<Record<Stage, number>> = {};
  let embedding: number | undefined;
  let keep: number | undefined;
  for (const [key, layer] of Object.entries(network.layers)) {
    const stage = stageOf(network, key);
    if (stage && layer.kind === 'repeat') {
      blocks[stage] = layer.count;
      if (layer.block.kind === 'residual') scales[stage] = (layer.block as Residual).scale;
    }
    if (layer.kind === 'embedding') embedding = layer.features;
    if (layer.kind === 'dropout') keep = layer.keep;
  }
  return { blocks, scales, embedding, keep, input: network.input };
}
