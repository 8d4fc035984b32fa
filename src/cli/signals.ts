/** Ends a pass over images at the first SIGINT or SIGTERM, so that what is done is written; the second one ends the process. */
import { InterruptedError } from './usage.ts';

export interface Interruption {
  readonly signal: AbortSignal;
  /** @throws InterruptedError if there was a signal. */
  throwIfInterrupted(message: string): void;
  /** Leaves signals to the process again. */
  end(): void;
}

export function onInterruption(): Interruption {
  const controller = new AbortController();
  let stoppedBy: 'SIGINT' | 'SIGTERM' | undefined;
  const stop = (signal: NodeJS.Signals) => {
    stoppedBy = signal as 'SIGINT' | 'SIGTERM';
    controller.abort();
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  return {
    signal: controller.signal,
    throwIfInterrupted: (message) => {
      if (stoppedBy !== undefined) throw new InterruptedError(stoppedBy, message);
    },
    end: () => {
      process.off('SIGINT', stop).off('SIGTERM', stop);
    },
  };
}
