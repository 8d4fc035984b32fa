/** Answers of a hub. The file at the path names the answer; the process that reads it is its own hub. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const commit = 'a'.repeat(40);
const headers = { 'x-repo-commit': commit, etag: '"e"' };

function endless(response) {
  const more = () => {
    while (!response.destroyed && response.write(Buffer.alloc(65_536, ' ')));
  };
  response.on('drain', more);
  more();
}

const answers = {
  endless: (request, response) => {
    response.writeHead(200, headers);
    if (request.method === 'HEAD') response.end();
    else endless(response);
  },
  announced: (_, response) => response.writeHead(200, { ...headers, 'content-length': 3e9 }).end(),
  longer: (request, response) => {
    response.writeHead(200, request.method === 'HEAD' ? { ...headers, 'content-length': 10 } : headers);
    if (request.method === 'HEAD') response.end();
    else endless(response);
  },
  climbing: (_, response) => response.writeHead(200, { ...headers, 'x-repo-commit': '../../../x' }).end(),
  etag: (_, response) => response.writeHead(200, { ...headers, etag: '"../../x"' }).end(),
  local: (_, response) => response.writeHead(302, { ...headers, location: 'file:///etc/passwd' }).end(),
  loop: (_, response) => response.writeHead(302, { location: '/loop' }).end(),
  bare: (_, response) => response.writeHead(200).end(),
  page: (request, response) =>
    response
      .writeHead(200, { ...headers, 'content-length': 6 })
      .end(request.method === 'HEAD' ? '' : '<html>'),
};
const row = (name, answer, expected) => ({ name, make: (path) => writeFileSync(path, answer), expected });

export const reader = {
  name: 'hub',
  open: async (path) => {
    const cache = mkdtempSync(join(tmpdir(), 'inception-hostile-hub-'));
    const server = createServer(answers[readFileSync(path, 'utf8')]);
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    process.env.HF_ENDPOINT = `http://127.0.0.1:${server.address().port}`;
    process.env.HF_HUB_CACHE = cache;
    const { openModel } = await import('../../dist/predict/open-model.js');
    try {
      await openModel('hub:a/b');
    } finally {
      server.closeAllConnections();
      rmSync(cache, { recursive: true, force: true });
    }
  },
  rows: [
    row('a config.json without an end', 'endless', /sent more than 16777216 bytes/),
    row('a config.json of 3 GB', 'announced', /has 3000000000 bytes, the limit is/),
    row('more bytes than announced', 'longer', /expected 10 bytes/),
    row('a commit that climbs', 'climbing', /not a safe file name/),
    row('an etag that climbs', 'etag', /not a safe file name/),
    row('a redirect to a local file', 'local', /not allowed/),
    row('a redirect to itself', 'loop', /redirects/),
    row('no headers of a hub', 'bare', /is HF_ENDPOINT the address of a hub/),
    row('a page in the place of JSON', 'page', /not JSON/),
  ],
};
