/** A request that is answered with an error: the status, the message for the client, and when to retry. */
import { InceptionError } from '../../errors.ts';

export type ErrorStatus = 400 | 401 | 403 | 404 | 405 | 413 | 415 | 500 | 503;

export class RequestError extends InceptionError {
  override name = 'RequestError';
  readonly status: ErrorStatus;
  /** Whole seconds; set whenever the same request may succeed later. */
  readonly retryAfterSeconds: number | undefined;
  /** Label for metrics: `queue_full`, `deadline`, … */
  readonly reason: string;

  constructor(
    status: ErrorStatus,
    message: string,
    { retryAfterSeconds, reason }: { retryAfterSeconds?: number; reason?: string } = {},
  ) {
    super(message);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
    this.reason = reason ?? reasons[status];
  }
}

const reasons: Readonly<Record<ErrorStatus, string>> = {
  400: 'invalid',
  401: 'token',
  403: 'origin',
  404: 'not_found',
  405: 'method',
  413: 'too_large',
  415: 'media_type',
  500: 'model',
  503: 'unavailable',
};
