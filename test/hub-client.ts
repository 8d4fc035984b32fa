/** Helpers for tests of the hub: a served model, a separate cache for every test, and a client that does not wait. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type HubFileOptions, type HubPatience, hubFile } from '../src/hub/hub.ts';
import { type HubServer, type HubServerOptions, type ServedFile, sha256, startHub } from './hub-server.ts';

export const commit = '0123456789abcdef0123456789abcdef01234567';
export const config = Buffer.from('{"architecture": "inception_v4"}');
export const weights = Buffer.from(
  Uint8Array.from({ length: 200_000 }, (_, index) => (index * 31 + (index >> 8)) % 256),
);
export const name = 'models--timm--inception_v4.tf_in1k';

/** Temporary folders of the current test. */
export let folder: string;
export let cache: string;
const servers: HubServer[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hub-'));
  cache = join(folder, 'hub');
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
  await rm(folder, { recursive: true, force: true });
});

export async function serve({
  files = {},
  repository = {},
  ...options
}: Partial<HubServerOptions> & {
  files?: Record<string, ServedFile>;
  repository?: Partial<HubServerOptions['repositories'][string]>;
} = {}): Promise<HubServer> {
  const all = {
    'config.json': { body: config },
    'model.safetensors': { body: weights, large: true },
    ...files,
  };
  const repositories = { 'timm/inception_v4.tf_in1k': { commit, files: all, ...repository } };
  const server = await startHub({ repositories, ...options });
  servers.push(server);
  return server;
}

/** Records waits instead of waiting. */
export const impatient = (waits: number[] = []): Partial<HubPatience> => ({
  wait: async (milliseconds) => void waits.push(milliseconds),
});

const settingsFor = (server: { endpoint: string }, more = {}) => ({
  endpoint: server.endpoint,
  cache,
  token: undefined,
  offline: false,
  ...more,
});

export function get(
  server: { endpoint: string },
  file: string,
  { settings = {}, ...options }: Partial<Omit<HubFileOptions, 'settings'>> & { settings?: object } = {},
): Promise<string | undefined> {
  return hubFile({
    repository: 'timm/inception_v4.tf_in1k',
    revision: 'main',
    file,
    settings: settingsFor(server, settings),
    patience: impatient(),
    ...options,
  });
}

export const counts = ({ requests }: HubServer, method: string): number =>
  requests.filter((request) => request.method === method).length;

export const blobs = (): Promise<string[]> => readdir(join(cache, name, 'blobs'));

export const partial = (): string => join(cache, name, 'blobs', `${sha256(weights)}.incomplete`);

export async function leavePartial(bytes: Uint8Array, path = partial()): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}
