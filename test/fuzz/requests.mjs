// Malformed requests: valid ones with random changes in body, JSON, headers or path.
// The same seed gives the same requests.

/**
 * @typedef {{ method: string, path: string, headers: Record<string, string>, body?: Buffer }} Request
 * @typedef {() => number} Random
 */

/** @param {number} seed @returns {Random} mulberry32: 0 to below 1 */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * The endpoints by name, each with a valid request to start from. `image` is a small file, `input` the model's shape without
 * the batch.
 * @param {{ model: string, image: Buffer, input: readonly number[] }} about
 * @returns {Record<string, (random: Random) => Request>}
 */
export function endpointsOf({ model, image, input }) {
  const length = input.reduce((product, size) => product * size, 1);
  const get = (/** @type {string} */ path) => () => ({ method: 'GET', path, headers: {} });
  const tensor = { name: 'images', shape: [1, ...input], datatype: 'UINT8' };
  const boundary = 'edge';
  const form = Buffer.concat([
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="top"\r\n\r\n2\r\n`),
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n`),
    image,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
  const infer = (/** @type {Random} */ random) => {
    const outputs = [
      { name: 'probabilities', parameters: { classification: 2, binary_data: random() < 0.5 } },
    ];
    if (random() < 0.3) {
      const data = Array.from({ length }, () => 7);
      const json = Buffer.from(JSON.stringify({ id: 'a', inputs: [{ ...tensor, data }], outputs }));
      return { body: json, headers: { 'content-type': 'application/json' } };
    }
    const inputs = [{ ...tensor, parameters: { binary_data_size: length } }];
    const json = Buffer.from(JSON.stringify({ inputs, outputs, parameters: { timeout: 5_000_000 } }));
    return {
      body: Buffer.concat([json, Buffer.alloc(length, 7)]),
      headers: { 'inference-header-content-length': String(json.length) },
    };
  };
  const classify = (/** @type {Random} */ random) => {
    const kind = random();
    if (kind < 0.4) return { body: image, headers: { 'content-type': 'image/png' } };
    if (kind < 0.7)
      return { body: form, headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } };
    const json = JSON.stringify({ images: [image.toString('base64')], top: 2, model });
    return { body: Buffer.from(json), headers: { 'content-type': 'application/json' } };
  };
  /** @type {(path: string, make: (random: Random) => { body: Buffer, headers: Record<string, string> }) => (random: Random) => Request} */
  const post = (path, make) => (random) => ({ method: 'POST', path, ...make(random) });
  const base = `/v2/models/${model}`;
  return {
    'POST /classify': post('/classify?top=2', classify),
    'POST /v2/models/{model}/infer': post(`${base}/infer`, infer),
    'POST /v2/models/{model}/versions/{version}/infer': post(`${base}/versions/1/infer`, infer),
    'POST /v2/repository/index': post('/v2/repository/index', () => ({
      body: Buffer.from('{}'),
      headers: {},
    })),
    'GET /v2': get('/v2'),
    'GET /v2/health/live': get('/v2/health/live'),
    'GET /v2/health/ready': get('/v2/health/ready'),
    'GET /v2/models/{model}': get(base),
    'GET /v2/models/{model}/versions/{version}': get(`${base}/versions/1`),
    'GET /v2/models/{model}/ready': get(`${base}/ready`),
    'GET /v2/models/{model}/config': get(`${base}/config`),
    'GET /v2/models/{model}/stats': get(`${base}/stats`),
    'GET /v2/models/stats': get('/v2/models/stats'),
    'GET /metrics': get('/metrics'),
    'GET /openapi.json': get('/openapi.json'),
    'GET /docs/': get('/docs/'),
  };
}

/** @param {Random} random @template T @param {readonly T[]} values @returns {T} */
const pick = (random, values) => /** @type {T} */ (values[Math.floor(random() * values.length)]);

/** @type {readonly unknown[]} */
const oddValues = [
  null,
  true,
  '',
  'images',
  '__proto__',
  'constructor',
  -1,
  0,
  0.5,
  1e308,
  2 ** 53,
  [],
  {},
  [[[[[[[[]]]]]]]],
  '\ud800',
  'x'.repeat(5000),
  { toString: 1 },
];

/** Replaces or removes a random value. @param {unknown} value @param {Random} random @returns {unknown} */
function changedJson(value, random) {
  if (typeof value !== 'object' || value === null || random() < 0.15) return pick(random, oddValues);
  const copy = /** @type {Record<string, unknown>} */ (Array.isArray(value) ? [...value] : { ...value });
  const keys = Object.keys(copy);
  const key = keys.length > 0 ? pick(random, keys) : 'key';
  const kind = random();
  if (kind < 0.1) delete copy[key];
  else if (kind < 0.2)
    copy[pick(random, ['__proto__', 'constructor', 'extra', ''])] = pick(random, oddValues);
  else copy[key] = changedJson(copy[key], random);
  return copy;
}

/** @param {Buffer} bytes @param {Random} random */
function changedBytes(bytes, random) {
  const copy = Buffer.from(bytes);
  const kind = random();
  if (kind < 0.2) return copy.subarray(0, Math.floor(random() * copy.length));
  if (kind < 0.3) return Buffer.concat([copy, copy.subarray(0, 100)]);
  if (kind < 0.35) return Buffer.alloc(0);
  const changes = 1 + Math.floor(random() * (kind < 0.8 ? 4 : 100));
  for (let change = 0; change < changes && copy.length > 0; change++) {
    // Most length fields are at the beginning of a file.
    const reach = random() < 0.5 ? Math.min(copy.length, 64) : copy.length;
    copy[Math.floor(random() * reach)] = Math.floor(random() * 256);
  }
  return copy;
}

/** @type {readonly (readonly [string, string])[]} */
const oddHeaders = [
  ['inference-header-content-length', '-1'],
  ['inference-header-content-length', '99999999999999999999'],
  ['inference-header-content-length', '3'],
  ['content-encoding', 'gzip'],
  ['content-encoding', 'deflate'],
  ['content-encoding', '__proto__'],
  ['content-type', 'multipart/form-data'],
  ['content-type', 'multipart/form-data; boundary='],
  ['content-type', 'application/json; charset=utf-7'],
  ['content-type', '/'],
  ['content-type', 'image/jpeg'],
  ['accept-encoding', 'gzip;q=0, deflate'],
  ['accept-encoding', 'deflate'],
  ['authorization', 'Bearer'],
  ['expect', '200-maybe'],
  ['transfer-encoding', 'chunked'],
];

const oddPaths = [
  '/%00',
  '/../../etc/passwd',
  '/%2e%2e%2f',
  '?top=-1',
  '?top[]=1',
  '?model=__proto__',
  '//',
  '/constructor',
  `/${'a'.repeat(300)}`,
  '?a=1&a=2',
  '%',
  '#x',
];

/**
 * A valid request with one to three changes; one in ten stays valid, so that the server also does real work.
 * @param {(random: Random) => Request} valid @param {Random} random @returns {Request}
 */
export function fuzzed(valid, random) {
  const request = valid(random);
  if (random() < 0.1) return request;
  const changes = 1 + Math.floor(random() * 3);
  for (let change = 0; change < changes; change++) {
    const kind = random();
    if (request.body && kind < 0.35) request.body = changedBytes(request.body, random);
    else if (request.body && kind < 0.65) changeJsonOf(request, random);
    else if (kind < 0.8) {
      const [name, value] = pick(random, oddHeaders);
      request.headers = { ...request.headers, [name]: value };
    } else if (kind < 0.92) request.path += pick(random, oddPaths);
    else request.method = pick(random, ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE']);
  }
  return request;
}

/** Changes the JSON in a body and adjusts the header with its length. @param {Request} request @param {Random} random */
function changeJsonOf(request, random) {
  const body = /** @type {Buffer} */ (request.body);
  const header = request.headers['inference-header-content-length'];
  const length = header === undefined ? body.length : Number(header);
  try {
    const changed = changedJson(JSON.parse(body.subarray(0, length).toString()), random);
    const json = Buffer.from(JSON.stringify(changed) ?? 'undefined');
    request.body = Buffer.concat([json, body.subarray(length)]);
    if (header !== undefined)
      request.headers = { ...request.headers, 'inference-header-content-length': String(json.length) };
  } catch {
    request.body = changedBytes(body, random);
  }
}
