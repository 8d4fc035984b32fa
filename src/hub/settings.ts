/** The hub's address, cache and token, from the environment variables of Hugging Face's library; and names on the hub. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { WeightsError } from '../weights/tensor-file.ts';

/** The hub, its cache or a name on it cannot be used. */
export class HubError extends WeightsError {
  override name = 'HubError';
}

export interface HubSettings {
  /** Without a trailing slash. */
  readonly endpoint: string;
  /** Contains the `models--owner--name` folders. */
  readonly cache: string;
  readonly token: string | undefined;
  /** Send no requests. */
  readonly offline: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

const trueValues: ReadonlySet<string> = new Set(['1', 'true', 'yes', 'on']);

/**
 * Reads HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_TOKEN_PATH and HF_HUB_OFFLINE, with the library's defaults.
 * @throws HubError naming the variable with an invalid value.
 */
export async function hubSettings(environment: Environment = process.env): Promise<HubSettings> {
  const caches = environment.XDG_CACHE_HOME || join(homedir(), '.cache');
  const home = folder(environment.HF_HOME || join(caches, 'huggingface'));
  return {
    endpoint: checkEndpoint(environment.HF_ENDPOINT || 'https://huggingface.co'),
    cache: folder(environment.HF_HUB_CACHE || join(home, 'hub')),
    token: await findToken(environment, home),
    offline: trueValues.has((environment.HF_HUB_OFFLINE ?? '').toLowerCase()),
  };
}

const folder = (path: string): string => resolve(path.replace(/^~(?=$|[/\\])/, () => homedir()));

function checkEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const usable = url && /^https?:$/.test(url.protocol) && !url.search && !url.hash && !url.username;
  if (!usable)
    throw new HubError(`HF_ENDPOINT: expected a URL like https://huggingface.co, received '${text}'`);
  return text.replace(/\/+$/, '');
}

async function findToken(environment: Environment, home: string): Promise<string | undefined> {
  const token = environment.HF_TOKEN?.trim();
  if (token) return checkToken(token, 'HF_TOKEN');
  const path = folder(environment.HF_TOKEN_PATH || join(home, 'token'));
  const stored = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw new HubError(`${path}: the token cannot be read (${error.message})`, { cause: error });
  });
  return stored.trim() ? checkToken(stored.trim(), path) : undefined;
}

/** The message must not contain the token, since messages end up in logs. */
function checkToken(token: string, source: string): string {
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new HubError(
      `${source}: expected a token like hf_…, received one with spaces or invalid characters`,
    );
  return token;
}

/** A path of plain segments that stays below the folder it is joined to, on every operating system. */
export const isPlainPath = (path: string): boolean =>
  !/[\p{Cc}\\:]/u.test(path) &&
  path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');

const repositoryPattern = /^[A-Za-z0-9_][\w.-]*\/[A-Za-z0-9_][\w.-]*$/;

/** @throws HubError saying what the name of a repository or revision looks like. */
export function checkHubName({ repository, revision }: { repository: string; revision: string }): void {
  if (!repositoryPattern.test(repository) || /--|\.\./.test(repository))
    throw new HubError(`'${repository}': expected a repository on the hub, owner/name`);
  if (!isPlainPath(revision) || revision.includes('..') || /\s/.test(revision))
    throw new HubError(`hub:${repository}: '${revision}' is not the name of a branch, tag or commit`);
}

/** Reads `hub:owner/name` or `hub:owner/name@revision`. @throws HubError */
export function parseHubName(text: string): { repository: string; revision: string } {
  const match = /^hub:([^/@]+\/[^/@]+)(?:@(.*))?$/.exec(text);
  if (!match)
    throw new HubError(
      `'${text}': expected hub:owner/name or hub:owner/name@revision, like hub:timm/inception_v4.tf_in1k`,
    );
  const name = { repository: match[1] as string, revision: match[2] ?? 'main' };
  checkHubName(name);
  return name;
}
