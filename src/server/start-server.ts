/** Starts a server for models, and drains it at the end. */
import { once } from 'node:events';
import type { FastifyBaseLogger } from 'fastify';
import { type BuildServerOptions, buildServer } from './http/build-server.ts';
import type { ServedModel } from './models/served-model.ts';
import { Service } from './service.ts';
import { defaultSettings, type ServerSettings } from './settings.ts';

/** Where a server listens, and its limits. */
export interface StartServerOptions extends BuildServerOptions {
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
  /** Refuses new requests, waits up to `timeoutMs` for the open ones, and closes everything. Returns whether all were answered. */
  drain(options: { readonly timeoutMs: number }): Promise<boolean>;
}

/** The server takes ownership of the models and closes them. */
export async function startServer(
  models: readonly ServedModel[],
  { host, port, settings, version, log }: StartServerOptions,
): Promise<RunningServer> {
  let onReplaced = (_reason: string): void => {};
  const service = await Service.open(
    models,
    { ...defaultSettings, ...settings },
    { onReplaced: (reason) => onReplaced(reason) },
  );
  try {
    const app = await buildServer(service, { version, log });
    onReplaced = (reason) => app.log.warn({ reason }, 'an image decoder process was replaced');
    const address = await app.listen({ host, port });
    return {
      address,
      service,
      log: app.log,
      drain: async ({ timeoutMs }) => {
        service.draining = true;
        const end = performance.now() + timeoutMs;
        while (app.openRequests() > 0 && performance.now() < end)
          await new Promise((resolve) => setTimeout(resolve, 10));
        const answered = app.openRequests() === 0;
        const closed = once(app.server, 'close');
        app.server.close();
        app.server.closeAllConnections();
        await closed;
        await app.close();
        await service.close();
        return answered;
      },
    };
  } catch (error) {
    await service.close();
    throw error;
  }
}
