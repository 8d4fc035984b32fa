/** Starts a server for models, and drains it at the end. */
import { once } from 'node:events';
import type { FastifyBaseLogger } from 'fastify';
import { isLoopback } from './http/access/allowed-hosts.ts';
import { type BuildServerOptions, buildServer } from './http/build-server.ts';
import type { ServedModel } from './models/served-model.ts';
import { Service } from './service.ts';
import { defaultSettings, type ServerSettings } from './settings.ts';

/** Where a server listens, and its limits. */
export interface StartServerOptions extends Omit<BuildServerOptions, 'local'> {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly settings?: Partial<ServerSettings>;
}

/** A server that listens. */
export interface RunningServer {
  /** `http://127.0.0.1:8000` */
  readonly address: string;
  readonly service: Service;
  readonly log: FastifyBaseLogger;
  /**
   * Refuses new requests, waits up to `timeoutMs` for the open ones, and closes everything. Returns whether all were answered.
   * For `graceMs` at least (default 0) the server still listens and refuses politely, with `Connection: close`: the time in which a
   * load balancer notices that it is not ready. Another call shortens these times.
   */
  drain(options: { readonly timeoutMs: number; readonly graceMs?: number }): Promise<boolean>;
}

/** The server takes ownership of the models and closes them. */
export async function startServer(
  models: readonly ServedModel[],
  { host, port, settings, version, log }: StartServerOptions,
): Promise<RunningServer> {
  let onReplaced = (_reason: string, _model?: string): void => {};
  const service = await Service.open(
    models,
    { ...defaultSettings, ...settings },
    { onReplaced: (reason, model) => onReplaced(reason, model) },
  );
  try {
    const app = await buildServer(service, { version, log, local: isLoopback(host) });
    onReplaced = (reason, model) =>
      app.log.warn(
        { reason, model },
        model === undefined ? 'an image decoder process was replaced' : "a model's process was replaced",
      );
    const address = await app.listen({ host, port });
    const limits = { grace: Number.POSITIVE_INFINITY, open: Number.POSITIVE_INFINITY };
    let drained: Promise<boolean> | undefined;
    const drain = async () => {
      service.draining = true;
      const waits = (now: number) => now < limits.grace || (app.openRequests() > 0 && now < limits.open);
      while (waits(performance.now())) await new Promise((resolve) => setTimeout(resolve, 10));
      const answered = app.openRequests() === 0;
      const closed = once(app.server, 'close');
      app.server.close();
      app.server.closeAllConnections();
      await closed;
      await app.close();
      await service.close();
      return answered;
    };
    return {
      address,
      service,
      log: app.log,
      drain: ({ timeoutMs, graceMs = 0 }) => {
        const now = performance.now();
        limits.grace = Math.min(limits.grace, now + graceMs);
        limits.open = Math.min(limits.open, now + Math.max(timeoutMs, graceMs));
        drained ??= drain();
        return drained;
      },
    };
  } catch (error) {
    await service.close();
    throw error;
  }
}
