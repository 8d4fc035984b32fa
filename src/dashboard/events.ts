/**
 * Server-sent events: every open page is notified when a run's metrics.jsonl grows, shrinks, appears or disappears, and when an
 * experiment's report or records change. File sizes are polled twice a second while a page is connected, because `fs.watch` does not
 * work on network file systems, where runs of several machines are kept.
 */
import type { ServerResponse } from 'node:http';
import { versionOf } from './experiments.ts';
import { notesFile } from './notes.ts';
import { statusOf } from './run-file.ts';
import { findRuns, isTraining } from './runs.ts';

const pollMs = 500;
/** Proxies close idle connections. */
const heartbeatMs = 15_000;

export class RunEvents {
  readonly #root: string;
  readonly #clients = new Set<ServerResponse>();
  #sizesSeen: ReadonlyMap<string, string> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /** Sends events until either side closes the connection. */
  listen(response: ServerResponse): void {
    response.write('retry: 1000\n\nevent: open\ndata: {}\n\n');
    this.#clients.add(response);
    response.on('close', () => {
      this.#clients.delete(response);
      if (this.#clients.size === 0) this.#stop();
    });
    if (this.#timer) return;
    this.#heartbeat = setInterval(() => this.#write(': keep-alive\n\n'), heartbeatMs);
    // The first poll is immediate: a page that has just fetched the list must not miss a change after it.
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
    this.#sizesSeen = undefined;
  }

  #write(text: string): void {
    for (const client of this.#clients) client.write(text);
  }

  #poll(delayMs = pollMs): void {
    const poll = async () => {
      const began = performance.now();
      const current = await this.#sizes();
      const previous = this.#sizesSeen ?? current;
      const changed = [...new Set([...current.keys(), ...previous.keys()])].filter(
        (id) => current.get(id) !== previous.get(id),
      );
      if (!this.#timer) return;
      this.#sizesSeen = current;
      if (changed.length > 0) this.#write(`event: changed\ndata: ${JSON.stringify({ runs: changed })}\n\n`);
      // A folder of a thousand runs must not keep the server busy with looking.
      this.#poll(Math.max(pollMs, 5 * (performance.now() - began)));
    };
    // A folder that is unreadable now may be readable at the next poll.
    this.#timer = setTimeout(() => void poll().catch(() => this.#timer && this.#poll()), delayMs);
  }

  async #sizes(): Promise<Map<string, string>> {
    const sizes = new Map<string, string>();
    const { runs, experiments } = await findRuns(this.#root);
    for (const [id, folder] of experiments) sizes.set(id, versionOf(folder));
    for (const [id, folder] of runs) {
      const [metrics, evaluation, labels, notes] = await Promise.all(
        ['metrics.jsonl', 'evaluation.json', 'labels.json', notesFile].map((name) => statusOf(folder, name)),
      );
      sizes.set(
        id,
        `${metrics?.size} ${evaluation?.mtimeMs} ${labels?.mtimeMs} ${notes?.ino} ${notes?.mtimeMs} ${await isTraining(folder)}`,
      );
    }
    return sizes;
  }
}
