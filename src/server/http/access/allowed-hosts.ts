/**
 * Which browsers' pages may use a server that only this machine can reach. Such a server has no token, because being on this machine is
 * the permission; a page on any web site has it too. It is kept out in two ways: by the Host header, which names the page's own host even if
 * its DNS entry leads to 127.0.0.1 (DNS rebinding), and by the Origin header of requests that compute.
 */
import { isIP } from 'node:net';
import { RequestError } from '../request-error.ts';

/** Whether only this machine reaches a server that listens on this address. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

/** `localhost` of `localhost:4000`, `::1` of `[::1]:80`. */
const hostName = (host: string): string =>
  host
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');

/** @throws RequestError 403 for a host other than this machine's names and `names`. A client without a Host is no browser. */
export function checkHost(host: string | undefined, names: readonly string[]): void {
  if (host === undefined) return;
  const name = hostName(host);
  if (isLoopback(name) || names.some((each) => each.toLowerCase() === name)) return;
  throw new RequestError(
    403,
    `the host '${name.slice(0, 100)}' is not served here; the server was started for this machine only ('--allow-host NAME' adds the name of a proxy, '--token-file' lifts the check)`,
  );
}

/** @throws RequestError 403 for a page of another origin that is not among `cors`. */
export function checkOrigin(
  { origin, host }: { readonly origin?: string | undefined; readonly host?: string | undefined },
  cors: readonly string[],
): void {
  if (origin === undefined || allowsOrigin(cors, origin)) return;
  if (host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase()) return;
  throw new RequestError(
    403,
    `pages of '${origin.slice(0, 100)}' may not use this server; '--cors ${origin.slice(0, 100)}' allows it`,
  );
}

/** Whether `cors` has the origin, or `*`. */
export const allowsOrigin = (cors: readonly string[], origin: string): boolean =>
  cors.includes('*') || cors.includes(origin);
