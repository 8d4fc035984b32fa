/**
 * Server-sent events: whenever a run's metrics.jsonl has grown, been cut, appeared or gone, every open page is told. The
 * files are asked for their size twice a second while somebody listens: `fs.watch` says nothing on network file systems,
 * where runs of several machines lie.
 */
import { stat } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { runFolders } from './runs.ts';

const pollMs = 500;
/** Proxies close connections that say nothing. */
const heartbeatMs = 15_000;

export class RunEvents {
  readonly #root: string;
  readonly #clients = new Set<ServerResponse>();
  #known: ReadonlyMap<string, string> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /** Answers with events until either side closes. */
  listen(response: ServerResponse): void {
    response.write('retry: 1000\n\nevent: open\ndata: {}\n\n');
    this.#clients.add(response);
    response.on('close', () => {
      this.#clients.delete(response);
      if (this.#clients.size === 0) this.#stop();
    });
    if (this.#timer) return;
    this.#heartbeat = setInterval(() => this.#write(': still here\n\n'), heartbeatMs);
    // The first look comes at once: a page that has just asked for the list must miss nothing after it.
    this.#poll(0);
  }

  close(): void {
    this.#stop();
    for (const client of this.#clients) client.end();
  }

  #stop(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#heartbeat);
    this.#timer = undefined;
    this.#known = undefined;
  }

  #write(text: string): void {
    for (const client of this.#clients) client.write(text);
  }

  #poll(delayMs = pollMs): void {
    const again = async () => {
      const now = await this.#sizes();
      const before = this.#known ?? now;
      const changed = [...new Set([...now.keys(), ...before.keys()])].filter(
        (id) => now.get(id) !== before.get(id),
      );
      if (!this.#timer) return;
      this.#known = now;
      if (changed.length > 0) this.#write(`event: changed\ndata: ${JSON.stringify({ runs: changed })}\n\n`);
      this.#poll();
    };
    // A folder that cannot be read now may be there again at the next look.
    this.#timer = setTimeout(() => void again().catch(() => this.#timer && this.#poll()), delayMs);
  }

  async #sizes(): Promise<Map<string, string>> {
    const sizes = new Map<string, string>();
    for (const [id, folder] of await runFolders(this.#root)) {
      const [metrics, evaluation] = await Promise.all(
        ['metrics.jsonl', 'evaluation.json'].map((name) => stat(folder.file(name)).catch(() => undefined)),
      );
      sizes.set(id, `${metrics?.size} ${evaluation?.mtimeMs} ${await folder.isTraining()}`);
    }
    return sizes;
  }
}
