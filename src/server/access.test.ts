/** Who may use the server, and what it does with requests that are none: token, hosts, origins, limits on what arrives. */
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { colourModel, imageFile } from '../../test/server-models.ts';
import { inferBody, post, raw } from '../../test/server-requests.ts';
import { closedAfterEach } from '../../test/test-server.ts';

const start = closedAfterEach();

const infer = '/v2/models/colours/infer';

describe('access', () => {
  it('needs the token, except for probes and the API description', async () => {
    const { send } = await start([colourModel()], { token: 'secret' });
    const withToken = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
    for (const path of ['/v2', '/v2/models/colours', '/metrics', '/nowhere', infer]) {
      const answer = await send(path, path === infer ? post(inferBody()) : undefined);
      expect({ path, ...answer }).toMatchObject({ path, status: 401 });
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
      expect((await send(path, withToken('wrong'))).status).toBe(401);
      expect((await send(path, withToken('secretsecret'))).status).toBe(401);
    }
    expect((await send('/v2', withToken('secret'))).status).toBe(200);
    for (const path of ['/v2/health/live', '/v2/health/ready', '/docs/', '/openapi.json'])
      expect((await send(path)).status).toBe(200);
  });

  it('answers invalid HTTP, and every error, with a JSON error', async () => {
    const { address } = await start([colourModel()]);
    for (const bytes of [
      'hello\r\n\r\n',
      'GET /%zz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
    ]) {
      const answer = await raw(address, bytes);
      expect(answer).toMatch(/^HTTP\/1\.1 400/);
      expect(JSON.parse(answer.split('\r\n\r\n')[1] as string)).toHaveProperty('error');
    }
    expect(await raw(address, `GET /v2 HTTP/1.1\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431/,
    );
  });

  it('limits the time that a request may take to arrive', async () => {
    const { address } = await start([colourModel()], { receiveMs: 300 });
    const begun = `POST ${infer} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1900\r\n\r\n{`;
    expect(await raw(address, begun)).toMatch(/^HTTP\/1\.1 408/);
  });

  it('counts the bytes that have arrived, so that eight slow uploads keep nobody out', async () => {
    const { send, address } = await start([colourModel()], { bodyBytes: 2000, receivingBytes: 2500 });
    const slow = Array.from({ length: 8 }, () => connect(Number(new URL(address).port), '127.0.0.1'));
    for (const socket of slow)
      socket.write(
        `POST ${infer} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n`,
      );
    await expect.poll(async () => (await send('/metrics')).bytes.toString()).toContain('process_');
    expect(await send(infer, post(inferBody(7)))).toMatchObject({ status: 200 });
    for (const socket of slow) socket.destroy();
  });

  it('limits the bytes received at the same time', async () => {
    const { send, address } = await start([colourModel()], { bodyBytes: 1000, receivingBytes: 2500 });
    const slow = [1, 2].map(() => connect(Number(new URL(address).port), '127.0.0.1'));
    for (const socket of slow)
      socket.write(
        `POST ${infer} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n${' '.repeat(990)}`,
      );
    const error = 'the server is receiving too much data at the moment; try again later';
    const answer = () => send(infer, post(inferBody(2)));
    await expect.poll(answer).toMatchObject({ status: 503, json: { error } });
    for (const socket of slow) socket.destroy();
    await expect.poll(answer).toMatchObject({ status: 200 });
  });

  it('keeps pages of other hosts out of a server for this machine, unless a token does', async () => {
    const evil = (address: string, path = '/metrics', more = '') =>
      raw(address, `GET ${path} HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n${more}\r\n`);
    const open = await start([colourModel()], { allowHosts: ['proxy.example'] });
    expect(await evil(open.address)).toMatch(
      /^HTTP\/1\.1 403 .*the host 'evil\.example' is not served here/s,
    );
    expect(await evil(open.address, '/v2/health/ready')).toMatch(/^HTTP\/1\.1 403/);
    expect(
      await raw(open.address, 'GET /v2 HTTP/1.1\r\nhost: proxy.example\r\nconnection: close\r\n\r\n'),
    ).toMatch(/^HTTP\/1\.1 200/);
    // A form is posted across origins without asking first.
    const form = new FormData();
    form.set('image', new Blob([new Uint8Array(await imageFile('red'))]));
    const foreign = { method: 'POST', body: form, headers: { origin: 'https://evil.example' } };
    expect(await open.send('/classify', foreign)).toMatchObject({
      status: 403,
      json: {
        error:
          "pages of 'https://evil.example' may not use this server; '--cors https://evil.example' allows it",
      },
    });
    await open.drain();
    const guarded = await start([colourModel()], { token: 'secret' });
    expect(await evil(guarded.address, '/v2', 'authorization: Bearer secret\r\n')).toMatch(/^HTTP\/1\.1 200/);
  });

  it('lets pages of the listed origins in, and answers their preflight without a token', async () => {
    const page = 'https://app.example';
    const { send } = await start([colourModel()], { cors: [page], token: 'secret' });
    const preflight = (origin: string) =>
      send('/classify', {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization',
        },
      });
    const { status, headers } = await preflight(page);
    expect([
      status,
      headers.get('access-control-allow-origin'),
      headers.get('access-control-allow-methods'),
    ]).toEqual([204, page, 'GET, POST']);
    expect(headers.get('access-control-allow-headers')).toContain('authorization');
    const other = await preflight('https://evil.example');
    expect([other.status, other.headers.get('access-control-allow-origin')]).toEqual([401, null]);
    const answer = await send(infer, post(inferBody(), { origin: page, authorization: 'Bearer secret' }));
    expect([
      answer.status,
      answer.headers.get('access-control-allow-origin'),
      answer.headers.get('vary'),
    ]).toEqual([200, page, 'origin']);
    // The page can read why it was refused.
    const refused = await send(infer, post(inferBody(), { origin: page }));
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, page]);
  });

  it('allows no other origin by default', async () => {
    const { send } = await start([colourModel()]);
    const { status, headers } = await send('/classify', {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' },
    });
    expect([status, headers.get('access-control-allow-origin')]).toEqual([404, null]);
  });

  it('answers malformed HTTP once, and serves the next request', async () => {
    const { address, send } = await start([colourModel()]);
    const cases: [what: string, rest: string, status: number][] = [
      ['two lengths', 'content-length: 3\r\ncontent-length: 4\r\n\r\nabcd', 400],
      ['a length and chunks', 'content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', 400],
      ['a negative length', 'content-length: -1\r\n\r\n', 400],
      ['a chunk size past 64 bits', `transfer-encoding: chunked\r\n\r\n${'f'.repeat(17)}\r\n`, 400],
      ['a continued header', 'x: a\r\n b\r\n\r\n', 400],
      ['a zero byte in a header', 'x: a\0b\r\n\r\n', 400],
      ['a space before the colon', 'content-length : 3\r\n\r\nabc', 400],
      ['an unknown expectation', 'expect: magic\r\ncontent-length: 0\r\n\r\n', 417],
      ['a length beyond the limit', 'content-length: 99999999999\r\n\r\n', 413],
      ['an encoding that does not exist', 'content-encoding: br\r\ncontent-length: 2\r\n\r\n{}', 415],
    ];
    for (const [what, rest, status] of cases) {
      const head = `POST ${infer} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n`;
      const answer = await raw(address, head + rest);
      expect(answer.match(/HTTP\/1\.1 \d+/g), what).toEqual([`HTTP/1.1 ${status}`]);
    }
    expect((await send('/v2')).status).toBe(200);
  });
});
