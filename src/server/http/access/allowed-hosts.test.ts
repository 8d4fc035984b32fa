import { describe, expect, it } from 'vitest';
import { checkHost, checkOrigin, isLoopback } from './allowed-hosts.ts';

describe('a server for this machine', () => {
  it.each(['localhost', '127.0.0.1', '127.0.0.2', '::1'])('is one that listens on %s', (host) => {
    expect(isLoopback(host)).toBe(true);
  });
  it.each(['0.0.0.0', '::', '192.168.1.4', '127.evil.example', '127.0.0.1.example', ''])(
    'is not one that listens on %s',
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );

  it.each([
    'localhost',
    'LOCALHOST:8000',
    'localhost.:8000',
    '127.0.0.1',
    '127.0.0.1:80',
    '[::1]:8000',
    undefined,
    'Proxy.example:443',
  ])('is asked for as %s', (host) => {
    expect(() => checkHost(host, ['proxy.example'])).not.toThrow();
  });
  it.each([
    'evil.example',
    'evil.example:8000',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.evil.example',
    '[::2]',
    '',
    '192.168.1.4:8000',
  ])("refuses another host's name, as DNS rebinding sends it: '%s'", (host) => {
    expect(() => checkHost(host, ['proxy.example'])).toThrow(/^the host '.*' is not served here; /);
  });

  it.each(['http://localhost:8000', undefined, 'https://allowed.example'])('computes for %s', (origin) => {
    expect(() => checkOrigin({ origin, host: 'localhost:8000' }, ['https://allowed.example'])).not.toThrow();
  });
  it.each(['http://localhost:3000', 'https://evil.example', 'null', 'http://localhost:8000.evil.example'])(
    'does not compute for a page of %s',
    (origin) => {
      expect(() => checkOrigin({ origin, host: 'localhost:8000' }, ['https://allowed.example'])).toThrow(
        `pages of '${origin}' may not use this server; '--cors ${origin}' allows it`,
      );
    },
  );
  it('computes for every page if told so', () => {
    expect(() => checkOrigin({ origin: 'https://any.example', host: 'localhost' }, ['*'])).not.toThrow();
  });
});
