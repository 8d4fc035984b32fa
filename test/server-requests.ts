/** Requests to the server of `startTestServer`, as JSON and as raw bytes. */
import { connect } from 'node:net';

export const pixels = (count = 1, [red, green, blue] = [200, 50, 0]) =>
  Array.from({ length: count * 16 }, () => [red, green, blue]).flat();
export const inferBody = (count = 1, more: object = {}) => ({
  inputs: [{ name: 'images', shape: [count, 4, 4, 3], datatype: 'UINT8', data: pixels(count) }],
  ...more,
});
export const post = (value: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body: typeof value === 'string' ? value : JSON.stringify(value),
  headers: { 'content-type': 'application/json', ...headers },
});

/** Sends raw bytes and returns the whole response. */
export const raw = (address: string, bytes: string) =>
  new Promise<string>((resolve) => {
    const socket = connect(Number(new URL(address).port), '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    socket.on('close', () => resolve(text));
    socket.on('error', () => {});
  });
