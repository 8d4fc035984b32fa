/**
 * A bound on the bytes of all bodies that are held at the same time, counted as they arrive: what a client announces costs nothing yet.
 * Each address has half of it, so that no single one can keep the others out. An upload that would exceed the bound waits unread; the
 * oldest one goes on, so that there is always progress.
 */

export interface Upload {
  /** Counts bytes that have arrived. */
  add(bytes: number): void;
  /** All of the body has arrived: it is held, but does not wait any more. */
  finish(): void;
  /** Its bytes are no longer held. */
  close(): void;
}

interface State {
  readonly address: string;
  readonly resume: () => void;
  bytes: number;
}

export class ReceiveBudget {
  readonly #limit: number;
  readonly #share: number;
  #total = 0;
  readonly #byAddress = new Map<string, number>();
  /** Uploads that are still arriving, oldest first. */
  readonly #arriving = new Set<State>();
  readonly #waiting = new Set<State>();

  constructor({ bytes, perUpload }: { readonly bytes: number; readonly perUpload: number }) {
    this.#limit = bytes;
    this.#share = Math.max(perUpload, bytes / 2);
  }

  /** Whether another body from this address may begin. */
  admits(address: string): boolean {
    return this.#total < this.#limit && (this.#byAddress.get(address) ?? 0) < this.#share;
  }

  open(
    address: string,
    { pause, resume }: { readonly pause: () => void; readonly resume: () => void },
  ): Upload {
    const state: State = { address, resume, bytes: 0 };
    this.#arriving.add(state);
    return {
      add: (bytes) => {
        this.#count(state, bytes);
        if (!this.#mayRead(state)) {
          this.#waiting.add(state);
          pause();
        }
      },
      finish: () => this.#leave(state),
      close: () => {
        this.#count(state, -state.bytes);
        this.#leave(state);
      },
    };
  }

  #count(state: State, bytes: number): void {
    state.bytes += bytes;
    this.#total += bytes;
    const held = (this.#byAddress.get(state.address) ?? 0) + bytes;
    if (held > 0) this.#byAddress.set(state.address, held);
    else this.#byAddress.delete(state.address);
  }

  #mayRead(state: State): boolean {
    const [oldest] = this.#arriving;
    return state === oldest || !this.#arriving.has(state) || this.admits(state.address);
  }

  #leave(state: State): void {
    this.#arriving.delete(state);
    this.#waiting.delete(state);
    for (const other of this.#waiting) {
      if (!this.#mayRead(other)) continue;
      this.#waiting.delete(other);
      other.resume();
    }
  }
}
