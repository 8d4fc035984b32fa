/** A short run of `test/fuzz/fuzz-server.mjs`; docs/server.md has the figures of the long one. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpointsOf } from '../../test/fuzz/requests.mjs';
import { sendFuzzed } from '../../test/fuzz/send.mjs';
import { colourModel, imageFile } from '../../test/server-models.ts';
import { startTestServer, type TestServer } from '../../test/test-server.ts';

let server: TestServer;
const model = colourModel();
const image = await imageFile('red');
const endpoints = endpointsOf({ model: model.name, image, input: model.input.shape });

beforeAll(async () => {
  server = await startTestServer([model], { queue: 64 });
});
afterAll(() => server?.drain());

describe('malformed requests', () => {
  it.each(Object.keys(endpoints))('get a proper answer from %s', async (endpoint) => {
    const requests = endpoint.startsWith('POST') ? 500 : 100;
    const valid = endpoints[endpoint] as (typeof endpoints)[string];
    const { wrong, counts } = await sendFuzzed(server.address, valid, { requests, seed: 1 });
    expect(wrong).toEqual([]);
    expect(counts[200], 'some are valid').toBeGreaterThan(0);
    expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(requests);
  });

  it('leave a working server with an empty queue', async () => {
    const answer = await server.send('/classify', {
      method: 'POST',
      body: new Uint8Array(image),
      headers: { 'content-type': 'image/png' },
    });
    expect(answer.json.results[0].labels[0].label).toBe('red');
    const metrics = (await server.send('/metrics')).bytes.toString();
    expect(metrics).toMatch(/^inception_queue_images\{model="colours"\} 0$/m);
    expect(metrics).toMatch(/^inception_decoders_replaced_total 0$/m);
  });
});
