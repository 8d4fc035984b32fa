/** The server's settings and their defaults. */
export interface ServerSettings {
  /** How long an image waits for others while the model is idle. */
  readonly waitMs: number;
  /** Images per model that may wait before requests are refused. Default: `queueFor` its batch size; one batch in overload. */
  readonly queue?: number;
  /** How long a request may wait before its last image starts. */
  readonly deadlineMs: number;
  /** Maximum bytes per request, also when decompressed. */
  readonly bodyBytes: number;
  /** Maximum bytes of all bodies held at the same time; each address may have half of it. */
  readonly receivingBytes: number;
  /** Maximum images, or rows of a tensor, per request. */
  readonly images: number;
  /** How long a request may take to arrive. */
  readonly receiveMs: number;
  /** Processes that decode images. */
  readonly decoders: number;
  /** How long one image may take to be decoded and resized; it is then refused, and its process replaced. */
  readonly decodeMs: number;
  /** If unset, requests need no token. */
  readonly token?: string;
  /** Origins whose pages may use the server, such as `https://app.example`; `*` for all. Default: none. */
  readonly cors: readonly string[];
  /** Host names besides this machine's by which a server without a token, and for this machine only, may be asked. */
  readonly allowHosts: readonly string[];
}

const mebibyte = 2 ** 20;

/**
 * One batch deep: a request waits for the running batch and is then in the next one. But at least four places, which absorb bursts
 * at half the throughput (docs/server.md). In overload a deeper queue would add latency without adding throughput, so that only
 * one batch may wait.
 */
export const queueFor = (batch: number): number => Math.max(4, batch);

/** What holds of a server unless it is set otherwise. */
export const defaultSettings: ServerSettings = {
  waitMs: 5,
  deadlineMs: 10_000,
  bodyBytes: 32 * mebibyte,
  receivingBytes: 256 * mebibyte,
  images: 64,
  receiveMs: 30_000,
  decoders: 2,
  decodeMs: 2000,
  cors: [],
  allowHosts: [],
};
