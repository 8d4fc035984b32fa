/** The bearer token, compared in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { RequestError } from '../request-error.ts';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** @throws RequestError 401 unless the header carries the token. */
export function checkToken(header: string | undefined, token: string): void {
  const [, received] = /^Bearer +(\S+)$/i.exec(header ?? '') ?? [];
  if (received !== undefined && timingSafeEqual(digest(received), digest(token))) return;
  const what = header === undefined ? 'the header is missing' : 'the token is wrong';
  throw new RequestError(
    401,
    `expected the header 'Authorization: Bearer …' with the server's token; ${what}`,
  );
}
