// Sends fuzzed requests to a server and counts the responses.
import http from 'node:http';
import { fuzzed, randomFrom } from './requests.mjs';

/**
 * @typedef {{ counts: Record<string, number>, wrong: string[] }} Outcome
 * @param {string} address
 * @param {(random: import('./requests.mjs').Random) => import('./requests.mjs').Request} valid
 * @param {{ requests: number, seed: number, clients?: number }} options
 * @returns {Promise<Outcome>} `wrong` lists every response with a 5xx other than 503, or without a JSON error
 */
export async function sendFuzzed(address, valid, { requests, seed, clients = 16 }) {
  const random = randomFrom(seed);
  const agent = new http.Agent({ keepAlive: true, maxSockets: clients });
  /** @type {Outcome} */
  const outcome = { counts: {}, wrong: [] };
  let left = requests;
  const client = async () => {
    while (left-- > 0) {
      const request = fuzzed(valid, random);
      const { status, text } = await send(address, request, agent);
      outcome.counts[status] = (outcome.counts[status] ?? 0) + 1;
      const isError = typeof status === 'number' && status >= 400 && request.method !== 'HEAD';
      if (
        (typeof status === 'number' && status >= 500 && status !== 503) ||
        (isError && !/^\{"error":".+"\}$/.test(text))
      )
        outcome.wrong.push(
          `${status} ${text.slice(0, 200)} for ${request.method} ${request.path.slice(0, 200)}`,
        );
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  agent.destroy();
  return outcome;
}

/**
 * @param {string} address @param {import('./requests.mjs').Request} request @param {http.Agent} agent
 * @returns {Promise<{ status: number | string, text: string }>} the status, or the error code if the connection was closed
 */
const send = (address, { method, path, headers, body }, agent) =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(address);
    const length =
      headers['transfer-encoding'] === undefined && body ? { 'content-length': String(body.length) } : {};
    const request = http.request(
      {
        hostname,
        port,
        path: encodeURI(path).replaceAll('%25', '%'),
        method,
        agent,
        headers: { ...headers, ...length },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (data) => {
          text += data;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', (error) => resolve({ status: error.message, text: '' }));
      },
    );
    request.setTimeout(20_000, () => request.destroy(new Error('no answer in 20 s')));
    request.on('error', (error) =>
      resolve({ status: /** @type {NodeJS.ErrnoException} */ (error).code ?? error.message, text: '' }),
    );
    request.end(body);
  });
