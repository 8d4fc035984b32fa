/** From models to a listening server, and from there to a quiet end. */
import { once } from 'node:events';
import type { FastifyBaseLogger } from 'fastify';
import { type BuildServerOptions, buildServer } from './http/build-server.ts';
import type { ServedModel } from './models/served-model.ts';
import { Service } from './service.ts';
import { defaultSettings, type ServerSettings } from './settings.ts';

export interface StartServerOptions extends BuildServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly settings?: Partial<ServerSettings>;
}

export interface RunningServer {
  /** `http://127.0.0.1:8000` */
  readonly address: string;
  readonly service: Service;
  readonly log: FastifyBaseLogger;
  /** Takes no more, answers what was admitted, for so long at most, and closes everything. Says whether all were answered. */
  drain(options: { readonly longestMs: number }): Promise<boolean>;
}

/** The models are the server's from here on: it closes them. */
export async function startServer(
  models: readonly ServedModel[],
  { host, port, settings, version, log }: StartServerOptions,
): Promise<RunningServer> {
  let replaced = (_why: string): void => {};
  const service = await Service.open(
    models,
    { ...defaultSettings, ...settings },
    { onReplaced: (why) => replaced(why) },
  );
  try {
    const app = await buildServer(service, { version, log });
    replaced = (why) => app.log.warn({ why }, 'a process that decodes images was replaced');
    const address = await app.listen({ host, port });
    return {
      address,
      service,
      log: app.log,
      drain: async ({ longestMs }) => {
        service.draining = true;
        const end = performance.now() + longestMs;
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
