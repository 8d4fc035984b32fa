/** The NETWORK argument: a name, or a file with a custom network. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UsageError } from '../errors.ts';
import { refuseIdleOptions } from '../networks/idle-options.ts';
import {
  type ConfiguredNetwork,
  configure,
  findNetwork,
  type NetworkOptions,
  registerNetwork,
} from '../networks/networks.ts';
import type { Network } from '../networks/notation.ts';
import { parseJson } from '../parse-json.ts';

export const networkArgument =
  "a name of 'inception models', or a module (.mjs, .ts) or .json file with a network";

export const isNetworkFile = (text: string): boolean => /\.(m?[jt]s|json)$/.test(text);

/**
 * Finds a network by name, or loads and registers one from a file: a module's default export, or its only export that is a
 * network. @throws NetworkOptionError, or UsageError if the file has none.
 */
export async function readNetwork(text: string): Promise<Network> {
  if (!isNetworkFile(text)) return findNetwork(text);
  return registerNetwork(text.endsWith('.json') ? await readFigure(text) : await importNetwork(text));
}

/**
 * A network with the options that a command was given.
 * @throws NetworkOptionError for one that cannot be applied or has no effect
 */
export async function readConfigured(text: string, options: NetworkOptions): Promise<ConfiguredNetwork> {
  const network = await readNetwork(text);
  refuseIdleOptions(network, options);
  return configure(network, options);
}

async function readFigure(path: string): Promise<Network> {
  // Only here: zod is most of what a command about a built-in network would load.
  const { figureSchema } = await import('../model/figure-schema.ts');
  return parseJson(await readFile(path, 'utf8'), { schema: figureSchema, path, Failure: UsageError });
}

async function importNetwork(path: string): Promise<Network> {
  let exported: Record<string, unknown>;
  try {
    exported = (await import(pathToFileURL(resolve(path)).href)) as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(`${path}: cannot be loaded (${(error as Error).message})`, { cause: error });
  }
  const [first, ...others] = isNetwork(exported.default)
    ? [exported.default]
    : Object.values(exported).filter(isNetwork);
  if (first && others.length === 0) return first;
  throw new UsageError(
    `${path}: expected one network, as the default export; received ${first ? others.length + 1 : 'none'}; exports: ${Object.keys(exported).join(', ') || 'none'}`,
  );
}

const isNetwork = (value: unknown): value is Network =>
  typeof value === 'object' && value !== null && 'name' in value && 'layers' in value && 'input' in value;
