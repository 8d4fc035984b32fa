/** A model's bytes from the browser's cache, the dashboard or a local file, verified by length and SHA-256. */
import type { ModelSource } from './messages.ts';

const cacheName = 'inception models';

export interface ModelBytes {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly cached: boolean;
  /** Whether the SHA-256 was compared with the server's. */
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
  // A changed file gets a new key.
  const key = `${source.url}?sha256=${source.sha256}`;
  const store = await caches.open(cacheName).catch(() => undefined);
  const cached = await store?.match(key);
  const bytes = cached
    ? new Uint8Array(await cached.arrayBuffer())
    : await download(source.url, source.bytes, onProgress);
  if (bytes.length !== source.bytes || (await sha256(bytes)) !== source.sha256) {
    await store?.delete(key);
    throw new Error(
      `${source.name}: expected ${source.bytes} bytes with SHA-256 ${source.sha256.slice(0, 12)}…, received ${bytes.length} different bytes; the file may have changed: load it again`,
    );
  }
  if (store && !cached) {
    await forget(store, source.url);
    // If the disk is full, the model is downloaded again next time.
    await store.put(key, new Response(bytes)).catch(() => undefined);
  }
  return { name: source.name, bytes, cached: cached !== undefined, checked: true };
}

async function download(
  url: string,
  total: number,
  onProgress: (done: number, total: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url, { cache: 'no-store' });
  if (!response.ok || !response.body) throw new Error(`${url}: the server responded ${response.status}`);
  const parts: Uint8Array[] = [];
  let received = 0;
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    received += part.value.length;
    onProgress(received, total);
  }
  const bytes = new Uint8Array(received);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Deletes older versions of a file from the cache. */
async function forget(store: Cache, url: string): Promise<void> {
  for (const request of await store.keys()) {
    if (request.url.startsWith(`${url}?`)) await store.delete(request);
  }
}

/** Deletes all cached models. */
export const clearCache = (): Promise<boolean> => caches.delete(cacheName);

/** Size of the cache in bytes. */
export async function cachedBytes(): Promise<number> {
  if (!('caches' in globalThis) || !(await caches.has(cacheName))) return 0;
  const store = await caches.open(cacheName);
  const sizes = (await store.matchAll()).map(async (response) => (await response.blob()).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
