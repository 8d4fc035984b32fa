/** A model's bytes: out of the browser's cache, from the dashboard, or from the disk; checked by length and SHA-256. */
import type { ModelSource } from './messages.ts';

const cacheName = 'inception models';

export interface ModelBytes {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly cached: boolean;
  /** Whether the SHA-256 was compared with the one that the server told. */
  readonly checked: boolean;
}

export async function readModel(
  source: ModelSource,
  onProgress: (done: number, total: number) => void,
): Promise<ModelBytes> {
  if (source.kind === 'file') {
    const bytes = new Uint8Array(await source.file.arrayBuffer());
    return { name: source.file.name, bytes, cached: false, checked: false };
  }
  // Addresses of files that have changed are other addresses.
  const key = `${source.url}?sha256=${source.sha256}`;
  const store = await caches.open(cacheName).catch(() => undefined);
  const kept = await store?.match(key);
  const bytes = kept
    ? new Uint8Array(await kept.arrayBuffer())
    : await download(source.url, source.bytes, onProgress);
  if (bytes.length !== source.bytes || (await sha256(bytes)) !== source.sha256) {
    await store?.delete(key);
    throw new Error(
      `${source.name}: expected ${source.bytes} bytes with SHA-256 ${source.sha256.slice(0, 12)}…, received ${bytes.length} others; the file may have changed meanwhile: load it again`,
    );
  }
  if (store && !kept) {
    await forget(store, source.url);
    // A full disk only means that it is downloaded again next time.
    await store.put(key, new Response(bytes)).catch(() => undefined);
  }
  return { name: source.name, bytes, cached: kept !== undefined, checked: true };
}

async function download(
  url: string,
  total: number,
  onProgress: (done: number, total: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url, { cache: 'no-store' });
  if (!response.ok || !response.body) throw new Error(`${url}: the server answered ${response.status}`);
  const parts: Uint8Array[] = [];
  let done = 0;
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    done += part.value.length;
    onProgress(done, total);
  }
  const bytes = new Uint8Array(done);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Older versions of the same file. */
async function forget(store: Cache, url: string): Promise<void> {
  for (const request of await store.keys()) {
    if (request.url.startsWith(`${url}?`)) await store.delete(request);
  }
}

/** Takes everything out of the cache. */
export const clearCache = (): Promise<boolean> => caches.delete(cacheName);

/** Bytes that the cache holds. */
export async function cachedBytes(): Promise<number> {
  if (!('caches' in globalThis) || !(await caches.has(cacheName))) return 0;
  const store = await caches.open(cacheName);
  const sizes = (await store.matchAll()).map(async (response) => (await response.blob()).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
