/** The options of every command with a NETWORK. */
import type { Command } from 'commander';
import {
  type NetworkOptionName,
  type NetworkOptions,
  networkOptions,
} from '../../networks/network-options.ts';
import { addDeclared, readDeclared, readText } from './declared-options.ts';

/** Adds the options; {@link readNetworkOptions} reads their values. */
export const addNetworkOptions = (
  command: Command,
  { except = [] }: { except?: readonly NetworkOptionName[] } = {},
): Command => addDeclared(command, networkOptions, { except });

export const readNetworkOptions = (values: Record<string, unknown>): NetworkOptions =>
  readDeclared(networkOptions, values);

export const inputSize = (text: string) =>
  readText(networkOptions.inputSize, text) as number | readonly [number, number];
