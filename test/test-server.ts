/** A server on the loopback interface for tests. */
import { afterEach } from 'vitest';
import type { ServedModel } from '../src/server/models/served-model.ts';
import type { ServerSettings } from '../src/server/settings.ts';
import { startServer } from '../src/server/start-server.ts';

export interface TestServer {
  readonly address: string;
  /** The log's lines, parsed. */
  readonly log: Record<string, unknown>[];
  readonly drain: (timeoutMs?: number, graceMs?: number) => Promise<boolean>;
  /** Sends a request and parses a JSON response. */
  readonly send: (path: string, init?: RequestInit) => Promise<TestResponse>;
  readonly processes: () => readonly number[];
}

export interface TestResponse {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says is compared
  readonly json: any;
  readonly bytes: Buffer;
}

export async function startTestServer(
  models: readonly ServedModel[],
  settings: Partial<ServerSettings> = {},
): Promise<TestServer> {
  const log: Record<string, unknown>[] = [];
  const stream = { write: (line: string) => void log.push(JSON.parse(line)) };
  const server = await startServer(models, {
    host: '127.0.0.1',
    port: 0,
    version: '1.2.3',
    settings: { decoders: 1, waitMs: 1, ...settings },
    log: { level: 'debug', stream },
  });
  return {
    address: server.address,
    log,
    drain: (timeoutMs = 60_000, graceMs = 0) => server.drain({ timeoutMs, graceMs }),
    processes: () => server.service.images.processes,
    send: async (path, init) => {
      const response = await fetch(server.address + path, init);
      const bytes = Buffer.from(await response.arrayBuffer());
      const isJson = response.headers.get('content-type')?.startsWith('application/json');
      const json = isJson ? JSON.parse(bytes.toString()) : undefined;
      return { status: response.status, headers: response.headers, json, bytes };
    },
  };
}

/** A function like `startTestServer` whose servers are closed after each test. */
export function closedAfterEach(): typeof startTestServer {
  const servers: TestServer[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.drain();
  });
  return async (...parameters) => {
    const server = await startTestServer(...parameters);
    servers.push(server);
    return server;
  };
}
