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
  let isEnded = false;
  const look = (): void => {
    const now = performance.now();
    for (const [key, connection] of [...connections()]) {
      if (isEnded) return;
      if (now - connection.heardAt > silenceMs) onSilent(key);
      else connection.beat();
    }
  };
  const tick = (): void => {
    const now = performance.now();
    const late = now - last - heartbeatMs;
    last = now;
    // This process was stopped, perhaps with all others: its own time is nobody's silence.
    if (late > silenceMs / 2) for (const [, connection] of connections()) connection.heardAt += late;
    // What came while it was stopped or busy is read first: it may be a sign of life; and on a connection that the other end has
    // closed, writing would lose its last message.
    setImmediate(look);
  };
  const timer = setInterval(tick, heartbeatMs);
  return () => {
    isEnded = true;
    clearInterval(timer);
  };
}
