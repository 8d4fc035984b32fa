/** The bearer token, compared in a time that says nothing about it. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { RequestError } from './request-error.ts';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** @throws RequestError 401 unless the header carries the token. */
export function checkToken(header: string | undefined, token: string): void {
  const [, given] = /^Bearer +(\S+)$/i.exec(header ?? '') ?? [];
  if (given !== undefined && timingSafeEqual(digest(given), digest(token))) return;
  const what = header === undefined ? 'it is missing' : 'it is another one';
  throw new RequestError(
    401,
    `expected the header 'Authorization: Bearer …' with the server's token; ${what}`,
  );
}
