/** Heartbeats to every peer, and the look at how long each was silent. */
import type { Connection } from './connection.ts';

export interface Pace {
  /** Milliseconds between heartbeats. */
  readonly heartbeatMs: number;
  /** A peer that is silent for longer is lost. */
  readonly silenceMs: number;
}

interface Watched<Key> extends Pace {
  readonly connections: () => Iterable<readonly [Key, Connection]>;
  readonly onSilent: (key: Key) => void;
}

/** Returns the function that ends it. */
export function watch<Key>({ connections, heartbeatMs, silenceMs, onSilent }: Watched<Key>): () => void {
  let last = performance.now();
  const tick = (): void => {
    const now = performance.now();
    const late = now - last - heartbeatMs;
    last = now;
    if (late > 2 * heartbeatMs) {
      // This process was stopped or busy and was not there to listen: its own time is nobody's silence. What came meanwhile is
      // read before anything is written: on a connection that the other end has closed, writing would lose its last message.
      for (const [, connection] of connections()) connection.heardAt += late;
      setImmediate(() => {
        for (const [, connection] of connections()) connection.beat();
      });
      return;
    }
    for (const [key, connection] of [...connections()]) {
      if (now - connection.heardAt > silenceMs) onSilent(key);
      else connection.beat();
    }
  };
  const timer = setInterval(tick, heartbeatMs);
  return () => clearInterval(timer);
}
