/** One TCP connection between two processes of a group: messages and heartbeats both ways, and when the other one was last heard. */
import type { Socket } from 'node:net';
import { createFrameReader, FrameError, frameOf, greetingBytes, heartbeat, valueBytes } from './frames.ts';
import { type Message, readMessage } from './messages.ts';

export interface Listener {
  readonly onMessage: (message: Message) => void;
  /** Once, and nothing after it; with what was wrong with the bytes, where that is the reason. */
  readonly onClose: (malformed?: string) => void;
}

export interface Connection {
  /** IP addresses of the two ends. */
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** `performance.now()` when the last bytes came. */
  heardAt: number;
  /** Who is told from now on; undefined: what comes is kept for the next one. */
  listen(listener: Listener | undefined): void;
  send(message: Message): void;
  /** The same bytes for several connections, which are written only once. */
  sendFrame(frame: Buffer): void;
  beat(): void;
  /** Takes long messages from now on: the other end has shaken hands. */
  trust(): void;
  /** Sends what is to be sent and closes; after `graceMs` in any case. Nothing more is reported. */
  end(graceMs: number): Promise<void>;
  destroy(): void;
}

/** An IPv4 address that came through an IPv6 socket is an IPv4 address. */
const plainAddress = (address: string | undefined): string => (address ?? '').replace(/^::ffff:/i, '');

/** Whether both ends are on one machine: loopback, or an address of its own that it connected to. */
export const isLocal = ({ localAddress, remoteAddress }: Connection): boolean =>
  localAddress === remoteAddress || /^127\.|^::1$/.test(remoteAddress);

/** Takes over a socket that is connected. */
export function connectionOf(socket: Socket): Connection {
  const reader = createFrameReader(greetingBytes);
  let isClosed = false;
  let listener: Listener | undefined;
  let kept: ((listener: Listener) => void)[] = [];
  const tell = (event: (listener: Listener) => void): void => {
    if (listener === undefined) kept.push(event);
    else event(listener);
  };
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 5000);
  const close = (malformed?: string): void => {
    if (isClosed) return;
    isClosed = true;
    tell(({ onClose }) => onClose(malformed));
  };
  const fail = (error: unknown): void => {
    if (!(error instanceof FrameError)) throw error;
    socket.destroy();
    close(error.message);
  };
  socket.on('data', (chunk: Buffer) => {
    connection.heardAt = performance.now();
    try {
      for (const text of reader.read(chunk)) {
        if (isClosed) return;
        if (text === '') continue;
        const message = readMessage(text);
        tell(({ onMessage }) => onMessage(message));
      }
    } catch (error) {
      fail(error);
    }
  });
  // What an error was is in the close that follows: the connection is gone.
  socket.on('error', () => undefined);
  socket.on('end', () => close());
  socket.on('close', () => close());
  const connection: Connection = {
    localAddress: plainAddress(socket.localAddress),
    remoteAddress: plainAddress(socket.remoteAddress),
    heardAt: performance.now(),
    listen: (next) => {
      listener = next;
      const events = kept;
      kept = [];
      for (const event of events) tell(event);
    },
    send: (message) => connection.sendFrame(frameOf(JSON.stringify(message))),
    sendFrame: (frame) => {
      if (socket.writable) socket.write(frame);
    },
    beat: () => {
      // Bytes that wait to be sent tell as much.
      if (socket.writable && socket.writableLength === 0) socket.write(heartbeat);
    },
    trust: () => {
      reader.limit = valueBytes;
    },
    end: (graceMs) => {
      isClosed = true;
      if (socket.destroyed) return Promise.resolve();
      return new Promise((resolve) => {
        const timer = setTimeout(() => socket.destroy(), graceMs);
        socket.once('close', () => {
          clearTimeout(timer);
          resolve();
        });
        socket.end();
        // The other end may have more to say, which nobody reads.
        socket.resume();
      });
    },
    destroy: () => {
      isClosed = true;
      socket.destroy();
    },
  };
  return connection;
}
