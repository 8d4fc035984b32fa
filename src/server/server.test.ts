/** The whole server over loopback: protocol, token, full queue, disconnecting clients, shutdown. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { colourModel, imageFile } from '../../test/server-models.ts';
import { inferBody, pixels, post, raw } from '../../test/server-requests.ts';
import { closedAfterEach } from '../../test/test-server.ts';
import { DeployError } from '../onnx/deploy-error.ts';
import type { ServedModel } from './models/served-model.ts';

const start = closedAfterEach();

const infer = '/v2/models/colours/infer';
/** A server whose model has begun the batch of a first request and holds it; `waiting` are the images in the queue. */
async function startHeld(settings: Parameters<typeof start>[1] = {}) {
  const model = colourModel({ batch: 1 });
  const release = model.hold();
  const server = await start([model], { waitMs: 0, ...settings });
  const first = server.send(infer, post(inferBody()));
  // One that the test expects to fail is still looked at.
  first.catch(() => undefined);
  await expect.poll(() => model.batches).toEqual([1]);
  const metrics = async () => (await server.send('/metrics')).bytes.toString();
  const waiting = async () =>
    Number(/^inception_queue_images\{model="colours"\} (\d+)$/m.exec(await metrics())?.[1]);
  return { ...server, model, first, release, metrics, waiting };
}

describe('the Open Inference Protocol', () => {
  it('is not ready while a model is late or being replaced, and says which', async () => {
    let healthy = false;
    let replaced = (_reason: string): void => {};
    const model: ServedModel = {
      ...colourModel(),
      healthy: () => healthy,
      onReplaced: (listener) => {
        replaced = listener;
      },
    };
    const { send } = await start([model, colourModel({ name: 'other' })]);
    const error = "'colours' does not respond, or is being started again";
    for (const path of ['/v2/health/ready', '/v2/models/colours/ready'])
      expect(await send(path)).toMatchObject({ status: 503, json: { error } });
    for (const path of ['/v2/health/live', '/v2/models/other/ready'])
      expect(await send(path)).toMatchObject({ status: 200 });
    const states = (await send('/v2/repository/index', { method: 'POST' })).json;
    expect(states).toMatchObject([{ state: 'UNAVAILABLE', reason: error }, { state: 'READY' }]);
    replaced('it hung');
    expect((await send('/metrics')).bytes.toString()).toContain(
      'inception_models_replaced_total{model="colours"} 1',
    );
    healthy = true;
    expect(await send('/v2/health/ready')).toMatchObject({ status: 200 });
  });

  it('describes the server and its models', async () => {
    const { send } = await start([colourModel(), colourModel({ name: 'other.v2' })]);
    const get = async (path: string) => (await send(path)).json;
    expect(await get('/v2')).toMatchObject({
      name: 'inception',
      version: '1.2.3',
      extensions: expect.arrayContaining(['classification', 'binary_tensor_data']),
    });
    expect(await get('/v2/health/live')).toEqual({ live: true });
    expect(await get('/v2/health/ready')).toEqual({ ready: true });
    const metadata = {
      name: 'other.v2',
      versions: ['1'],
      platform: 'test',
      inputs: [{ name: 'images', datatype: 'UINT8', shape: [-1, 4, 4, 3] }],
      outputs: [{ name: 'probabilities', datatype: 'FP32', shape: [-1, 3] }],
    };
    expect(await get('/v2/models/other.v2')).toEqual(metadata);
    expect(await get('/v2/models/other.v2/versions/1')).toEqual(metadata);
    expect((await send('/v2/models/colours/versions/1/ready')).status).toBe(200);
    expect(await get('/v2/models/colours/config')).toMatchObject({
      max_batch_size: 64,
      input: [{ name: 'images', data_type: 'TYPE_UINT8', dims: [4, 4, 3] }],
    });
    expect((await send('/v2/repository/index', { method: 'POST' })).json).toEqual([
      { name: 'colours', version: '1', state: 'READY', reason: '' },
      { name: 'other.v2', version: '1', state: 'READY', reason: '' },
    ]);
    for (const [path, error] of [
      ['/v2/models/x', "no model 'x'; the models are 'colours', 'other.v2'"],
      ['/v2/models/colours/versions/2/ready', "'colours' has no version '2'; its only version is 1"],
      ['/v3', 'no route GET /v3; GET /docs lists them'],
    ] as const)
      expect(await send(path)).toMatchObject({ status: 404, json: { error } });
  });

  it('infers from JSON and from binary data, and keeps statistics', async () => {
    const model = colourModel({ batch: 4 });
    const { send } = await start([model]);
    const answer = await send(infer, post(inferBody(2, { id: 'a' })));
    expect(answer.json).toMatchObject({
      model_name: 'colours',
      model_version: '1',
      id: 'a',
      outputs: [{ name: 'probabilities', datatype: 'FP32', shape: [2, 3] }],
    });
    expect(answer.json.outputs[0].data[0]).toBeCloseTo(0.8, 5);
    const header = JSON.stringify({
      inputs: [
        { name: 'images', shape: [6, 4, 4, 3], datatype: 'UINT8', parameters: { binary_data_size: 288 } },
      ],
      outputs: [{ name: 'probabilities', parameters: { binary_data: true } }],
    });
    const binary = await send('/v2/models/colours/versions/1/infer', {
      method: 'POST',
      body: Buffer.concat([Buffer.from(header), Buffer.from(pixels(6))]),
      headers: { 'inference-header-content-length': String(header.length) },
    });
    const length = Number(binary.headers.get('inference-header-content-length'));
    expect(binary.headers.get('content-type')).toBe('application/octet-stream');
    expect(new Float32Array(new Uint8Array(binary.bytes.subarray(length)).buffer)[15]).toBeCloseTo(0.8, 5);
    expect(model.batches).toEqual([2, 4, 2]);
    const [stats] = (await send('/v2/models/colours/stats')).json.model_stats;
    expect(stats).toMatchObject({
      inference_count: 8,
      execution_count: 3,
      inference_stats: { success: { count: 2 }, queue: { count: 8 } },
      batch_stats: [{ batch_size: 2 }, { batch_size: 4 }],
    });
  });

  it('accepts and sends compressed bodies, within the size limit', async () => {
    const { send, address } = await start([colourModel()], { bodyBytes: 20_000 });
    const compressed = (value: string) => ({
      ...post(''),
      body: gzipSync(value),
      headers: { 'content-encoding': 'gzip', 'content-type': 'application/json' },
    });
    const request = JSON.stringify(inferBody(60));
    expect(await send(infer, compressed(request))).toMatchObject({ status: 200 });
    expect(await send(infer, compressed(' '.repeat(1_000_000) + request))).toMatchObject({
      status: 413,
      json: { error: 'the body is larger than 20000 bytes when decompressed' },
    });
    expect(await send(infer, post('x', { 'content-encoding': 'gzip' }))).toMatchObject({ status: 400 });
    expect(await send(infer, post('x', { 'content-encoding': 'constructor' }))).toMatchObject({
      status: 415,
    });
    const text = JSON.stringify(inferBody(50));
    const answer = await raw(
      address,
      `POST ${infer} HTTP/1.0\r\naccept-encoding: gzip\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
    );
    expect(answer).toContain('content-encoding: gzip');
  });
});

describe('a model without an answer', () => {
  it('is an error that says why, by the name of the model and not by its file', async () => {
    const source = '/secret/m.onnx';
    const problem =
      '3 of the 3 probabilities of image 1 of 1 are not numbers between 0 and 1, the first is NaN';
    const run = () => Promise.reject(new DeployError(`${source}: ${problem}`));
    const { send, log } = await start([{ ...colourModel(), source, run }]);
    expect(await send(infer, post(inferBody()))).toMatchObject({
      status: 500,
      json: { error: `'colours': ${problem}` },
    });
    expect(log).toContainEqual(expect.objectContaining({ msg: 'a request failed' }));
    const image = {
      method: 'POST',
      body: new Uint8Array(await imageFile('red')),
      headers: { 'content-type': 'image/png' },
    };
    expect(await send('/classify', image)).toMatchObject({
      status: 500,
      json: { error: expect.stringContaining('NaN') },
    });
  });
});

describe('a full queue', () => {
  it('refuses at once with Retry-After, and answers accepted requests', async () => {
    const held = await startHeld({ queue: 2 });
    const answers: { status: number; retry: string | null }[] = [];
    const rest = Array.from({ length: 7 }, async () => {
      const { status, headers } = await held.send(infer, post(inferBody()));
      answers.push({ status, retry: headers.get('retry-after') });
    });
    // At once: while the model still holds the first request.
    await expect.poll(() => answers.length).toBe(5);
    for (const { status, retry } of answers) {
      expect(status).toBe(503);
      expect(Number(retry)).toBeGreaterThanOrEqual(1);
    }
    held.release();
    await Promise.all(rest);
    expect([await held.first, ...answers.slice(5)].map(({ status }) => status)).toEqual([200, 200, 200]);
    const metrics = await held.metrics();
    expect(metrics).toContain('inception_refused_requests_total{reason="queue_full"} 5');
    expect(metrics).toContain('inception_images_total{model="colours"} 3');
    expect(metrics).toMatch(/^inception_queue_images\{model="colours"\} 0$/m);
    expect(metrics).toMatch(/^process_resident_memory_bytes \d+/m);
  });

  it('drops a request whose own deadline passes', async () => {
    const { send, first, release } = await startHeld();
    const hurried = await send(infer, post(inferBody(1, { parameters: { timeout: 50_000 } })));
    expect(hurried).toMatchObject({
      status: 503,
      json: { error: 'the request did not start within its deadline of 50 ms; try again later' },
    });
    release();
    expect((await first).status).toBe(200);
  });

  it('drops a client that disconnects', async () => {
    const { send, log, model, first, release, metrics, waiting } = await startHeld();
    const client = new AbortController();
    const leaving = send(infer, { ...post(inferBody()), signal: client.signal });
    const image = send('/classify', {
      method: 'POST',
      body: new Uint8Array(await imageFile('red')),
      headers: { 'content-type': 'image/png' },
      signal: client.signal,
    });
    await expect.poll(waiting).toBe(2);
    client.abort();
    await Promise.allSettled([leaving, image]);
    await expect.poll(() => log.filter(({ msg }) => msg === 'the client disconnected')).toHaveLength(2);
    expect(await waiting()).toBe(0);
    release();
    await first;
    expect(model.batches).toEqual([1]);
    expect(await metrics()).toContain('inception_cancelled_requests_total 2');
  });
});

describe('the API description', () => {
  it('has every route, and a page that loads nothing from elsewhere', async () => {
    const { send } = await start([colourModel()]);
    const { paths, openapi } = (await send('/openapi.json')).json;
    expect(openapi).toBe('3.1.0');
    expect(Object.keys(paths).sort()).toEqual(
      [
        '/classify',
        '/metrics',
        '/v2',
        '/v2/health/live',
        '/v2/health/ready',
        '/v2/models/stats',
        '/v2/repository/index',
        ...['', '/ready', '/config', '/stats', '/infer'].flatMap((end) => [
          `/v2/models/{model}${end}`,
          `/v2/models/{model}/versions/{version}${end}`,
        ]),
      ].sort(),
    );
    expect(Object.keys(paths['/classify'].post.requestBody.content)).toEqual([
      'image/jpeg',
      'image/png',
      'image/webp',
      'multipart/form-data',
      'application/json',
    ]);
    const page = (await send('/docs/')).bytes.toString();
    expect(page).toContain('swagger-ui');
    expect(page).not.toMatch(/(src|href)="https?:/);
    expect((await send('/docs/static/swagger-ui-bundle.js')).status).toBe(200);
  });
});

describe('shutdown', () => {
  it('answers accepted requests, refuses new ones, and closes', async () => {
    const { send, drain, address, processes, first, release, waiting } = await startHeld();
    const admitted = [first, send(infer, post(inferBody()))];
    await expect.poll(waiting).toBe(1);
    const pids = processes();
    const drained = drain();
    expect((await send('/v2/health/ready')).status).toBe(503);
    expect((await send('/v2/health/live')).status).toBe(200);
    expect(await send(infer, post(inferBody()))).toMatchObject({
      status: 503,
      json: { error: 'the server is shutting down' },
    });
    release();
    for (const answer of await Promise.all(admitted)) expect(answer.status).toBe(200);
    expect(await drained).toBe(true);
    await expect(fetch(`${address}/v2`)).rejects.toThrow('fetch failed');
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  it('refuses politely for a while, so that load balancers notice before connections fail', async () => {
    const { send, drain, address } = await start([colourModel()]);
    const drained = drain(100, 30_000);
    const refused = await send(infer, post(inferBody()));
    expect([refused.status, refused.headers.get('connection')]).toEqual([503, 'close']);
    const kept = await raw(address, 'GET /v2/health/ready HTTP/1.1\r\nhost: localhost\r\n\r\n');
    expect(kept).toMatch(/^HTTP\/1\.1 503 .*connection: close/is);
    // A later call ends the grace.
    expect(await drain()).toBe(true);
    expect(await drained).toBe(true);
  });

  it('has a time limit', async () => {
    const { drain, first, release } = await startHeld();
    const cut = first.catch((error: Error) => error.message);
    expect(await drain(100)).toBe(false);
    release();
    expect(await cut).toBe('fetch failed');
  });
});
