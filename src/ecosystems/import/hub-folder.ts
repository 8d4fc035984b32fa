/** A config.json in timm's form beside weights: in a folder, or beside a file with the hub's name. */
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { maxConfigBytes, weightsNames } from '../../hub/pull-model.ts';
import { type ModelDescription, ModelError } from '../../model/description.ts';
import { packageName } from '../../version.ts';
import { type HubConfig, readHubConfig, UnknownArchitectureError } from '../export/hub-config.ts';

const isFile = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isFile() ?? false;

/** Reads a config.json of bounded size. @throws ModelError */
export const readConfigFile = async (path: string): Promise<HubConfig> =>
  readHubConfig(await readBounded(path), path);

/** What a repository of this package's own form says: everything else stands in the file of weights. */
export const ownConfig = ({ network, options, classes, preprocessing }: ModelDescription): string =>
  `${JSON.stringify({ library_name: packageName, network, options, classes, preprocessing }, null, 2)}\n`;

/** Whether a config.json says that the model is in this package's own form. */
export async function isOwnConfig(path: string): Promise<boolean> {
  try {
    const value: unknown = JSON.parse(await readBounded(path));
    return (
      typeof value === 'object' &&
      value !== null &&
      'library_name' in value &&
      value.library_name === packageName
    );
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

async function readBounded(path: string): Promise<string> {
  const info = await stat(path);
  if (!info.isFile()) throw new ModelError(`${path}: not a file`);
  if (info.size > maxConfigBytes)
    throw new ModelError(`${path}: it has ${info.size} bytes, the limit is ${maxConfigBytes}`);
  return readFile(path, 'utf8');
}

/** The two files of a folder in timm's form, as `inception export --to timm -o DIR/` writes it; undefined for other folders. */
export async function hubFolder(path: string): Promise<{ config: string; weights: string } | undefined> {
  const config = join(path, 'config.json');
  if (!(await isFile(config))) return undefined;
  for (const name of weightsNames) {
    const weights = join(path, name);
    if (await isFile(weights)) return { config, weights };
  }
  return undefined;
}

/** What the config.json beside a file says, if it is of a network that is known here; otherwise why it is not used. */
export async function configBeside(
  weights: string,
  { network }: { readonly network?: string | undefined },
): Promise<Partial<HubConfig>> {
  const path = join(dirname(weights), 'config.json');
  if (!weightsNames.some((name) => name === basename(weights)) || !(await isFile(path))) return {};
  const text = await readBounded(path);
  try {
    const config = readHubConfig(text, path);
    if (network !== undefined && network !== config.options.network)
      return { decisions: [`${path} is of ${config.options.network} and was not used`] };
    return { ...config, decisions: [`labels and preprocessing from ${path}`, ...config.decisions] };
  } catch (error) {
    if (error instanceof UnknownArchitectureError || !saysArchitecture(text))
      return { decisions: [`${path} says no network that is known here and was not used`] };
    throw error;
  }
}

/** Other programs write files of this name, too. */
function saysArchitecture(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'architecture' in value;
  } catch {
    return false;
  }
}
