/** What can be set of a server, with what is taken otherwise. */
export interface ServerSettings {
  /** How long an image waits for others while the model is idle. */
  readonly waitMs: number;
  /** Images of one model that may wait before further requests are refused. Default: `queueFor` its batch, and one batch in overload. */
  readonly queue?: number;
  /** How long a request may wait until its last image is started. */
  readonly deadlineMs: number;
  /** Bytes of one request, also when unpacked. */
  readonly bodyBytes: number;
  /** Bytes of all requests that are being received at the same time. */
  readonly receivingBytes: number;
  /** Images, or rows of a tensor, of one request. */
  readonly images: number;
  /** How long a request may take to arrive. */
  readonly receiveMs: number;
  /** Processes that decode images. */
  readonly decoders: number;
  /** How long one image may take to decode. */
  readonly decodeMs: number;
  /** Without one, everybody who reaches the port is served. */
  readonly token?: string;
}

const mebibyte = 2 ** 20;

/**
 * One batch deep: whoever is let in waits for the batch that runs and is then in the next one. But four places take the bursts of
 * a server with half the requests that it could answer (docs/server.md); under more than it can answer they would only make
 * everybody wait longer and nobody be served sooner, and one batch is all that may wait.
 */
export const queueFor = (batch: number): number => Math.max(4, batch);

export const defaultSettings: ServerSettings = {
  waitMs: 5,
  deadlineMs: 10_000,
  bodyBytes: 32 * mebibyte,
  receivingBytes: 256 * mebibyte,
  images: 64,
  receiveMs: 30_000,
  decoders: 2,
  decodeMs: 10_000,
};
