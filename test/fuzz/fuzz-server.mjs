// Sends malformed requests to every endpoint of a running server:
//   node test/fuzz/fuzz-server.mjs http://127.0.0.1:8000 [REQUESTS FOR EACH ENDPOINT] [SEED] [FIRST ENDPOINT]
// Fails if a response is a 5xx other than 503, if an error is not JSON, or if the server has been restarted by the end.
import sharp from 'sharp';
import { endpointsOf } from './requests.mjs';
import { sendFuzzed } from './send.mjs';

const [address, requests = '100000', seed = '1', first = '0'] = process.argv.slice(2);
if (address === undefined) {
  process.stderr.write('usage: fuzz-server.mjs ADDRESS [REQUESTS] [SEED] [FIRST ENDPOINT]\n');
  process.exit(2);
}
const startOf = async () =>
  /^process_start_time_seconds (\d+)/m.exec(await (await fetch(`${address}/metrics`)).text())?.[1];
const before = await startOf();
const [{ name }] = await (await fetch(`${address}/v2/repository/index`, { method: 'POST' })).json();
const { inputs } = await (await fetch(`${address}/v2/models/${name}`)).json();
const image = await sharp({ create: { width: 32, height: 24, channels: 3, background: 'red' } })
  .png()
  .toBuffer();
const endpoints = endpointsOf({ model: name, image, input: inputs[0].shape.slice(1) });
let wrong = 0;
console.log('| endpoint | seconds | answers |\n| --- | --- | --- |');
for (const [index, [endpoint, valid]] of Object.entries(endpoints).entries()) {
  if (index < Number(first)) continue;
  const begin = performance.now();
  const outcome = await sendFuzzed(address, valid, {
    requests: Number(requests),
    seed: Number(seed) + index,
  });
  const counts = Object.entries(outcome.counts).map(([status, count]) => `${status}: ${count}`);
  console.log(`| ${endpoint} | ${((performance.now() - begin) / 1000).toFixed(0)} | ${counts.join(', ')} |`);
  wrong += outcome.wrong.length;
  for (const line of outcome.wrong.slice(0, 5)) console.error(line);
}
if ((await startOf()) !== before) {
  console.error('the server is another process than at the beginning');
  wrong++;
}
console.log(wrong === 0 ? 'Nothing is wrong.' : `${wrong} answers are wrong.`);
process.exitCode = wrong === 0 ? 0 : 1;
