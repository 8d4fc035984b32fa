// Measures the built server on the loopback: throughput by batch size, overload, memory. Prints Markdown.
//   node src/bench/scripts/serve-load.mjs throughput MODEL [--batches 1,2,4,8] [--seconds 10] [-- options of serve]
//   node src/bench/scripts/serve-load.mjs overload MODEL [--seconds 20] [--endpoint classify|infer] [--capacity N] [--loads one,half,twice]
//     [-- options of serve]
//   node src/bench/scripts/serve-load.mjs memory MODEL [--minutes 60] [--pause MS] [-- options of serve]
// Requests are sent open-loop in the overload (at random moments, whether or not earlier ones are answered), because a client
// that waits for answers slows down together with the server and hides what its users feel. The generator is a process of its
// own, but usually on the server's processors: it says how late its own event loop was, which is in every figure.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const own = process.argv.slice(2);
const split = own.indexOf('--');
const serveOptions = split < 0 ? [] : own.slice(split + 1);
const [mode, model, ...rest] = split < 0 ? own : own.slice(0, split);
const option = (name, otherwise) => {
  const at = rest.indexOf(`--${name}`);
  return at < 0 ? otherwise : rest[at + 1];
};
const command = fileURLToPath(new URL('../../../bin/inception', import.meta.url));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const say = (line) => process.stdout.write(`${line}\n`);

/** Starts the command and waits until it is ready. */
async function start(options = []) {
  const child = spawn(
    process.execPath,
    [command, 'serve', `m=${model}`, '--port', '0', '--log', 'info', ...serveOptions, ...options],
    { stdio: ['ignore', 'inherit', 'pipe'], env: { OMP_WAIT_POLICY: 'passive', ...process.env } },
  );
  let rest = '';
  const address = await new Promise((resolve, reject) => {
    child.on('exit', (code) => reject(new Error(`the server ended with ${code}: ${rest}`)));
    child.stderr.on('data', (data) => {
      // The log is read and forgotten; only its first lines matter.
      if (rest.length < 10_000) rest += data;
      const found = /"address":"([^"]+)"/.exec(rest);
      if (found) resolve(found[1]);
    });
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2000 });
  const stop = async () => {
    agent.destroy();
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.removeAllListeners('exit');
    child.kill('SIGTERM');
    await Promise.race([gone, sleep(35_000)]);
  };
  return { address, agent, pid: child.pid, stop };
}

/** One request; milliseconds from the call to the last byte. */
const send = ({ address, agent }, { path, body, headers, method = 'POST', leaveAfterMs }) =>
  new Promise((resolve) => {
    const begin = performance.now();
    const end = (status, text) => resolve({ status, ms: performance.now() - begin, text });
    const request = http.request(
      address + path,
      { agent, method, headers: { ...headers, ...(body && { 'content-length': body.length }) } },
      (response) => {
        let text = '';
        response.setEncoding('latin1').on('data', (data) => {
          text += data;
        });
        response.on('end', () => end(response.statusCode, text));
      },
    );
    request.on('error', (error) => end(0, error.message));
    if (leaveAfterMs !== undefined) setTimeout(() => request.destroy(), leaveAfterMs);
    request.end(body);
  });

/** A photograph's size and an own content each: noise under large shapes, 640×480, about 60 kB as JPEG. */
async function photograph(seed) {
  const { data } = await sharp({
    create: { width: 80, height: 60, channels: 3, noise: { type: 'gaussian', mean: 100 + seed, sigma: 40 } },
  })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return sharp(data, { raw: { width: 80, height: 60, channels: 3 } })
    .resize(640, 480)
    .jpeg({ quality: 90 })
    .toBuffer();
}

async function requestsOf(server, endpoint) {
  if (endpoint === 'classify') {
    const files = await Promise.all(Array.from({ length: 8 }, (_, seed) => photograph(seed * 10)));
    return files.map((body) => ({ path: '/classify', body, headers: { 'content-type': 'image/jpeg' } }));
  }
  const { text } = await send(server, { path: '/v2/models/m', method: 'GET' });
  const [{ shape }] = JSON.parse(text).inputs;
  const bytes = shape.slice(1).reduce((product, size) => product * size, 1);
  const json = Buffer.from(
    JSON.stringify({
      inputs: [
        {
          name: 'images',
          shape: [1, ...shape.slice(1)],
          datatype: 'UINT8',
          parameters: { binary_data_size: bytes },
        },
      ],
      parameters: { binary_data_output: true },
    }),
  );
  const body = Buffer.concat([json, Buffer.alloc(bytes, 100)]);
  return [{ path: '/v2/models/m/infer', body, headers: { 'inference-header-content-length': json.length } }];
}

const quantile = (values, share) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
};

/** So many clients, each sending as soon as it is answered. Retries at once when it is refused. */
async function closedLoop(server, requests, { clients, seconds }) {
  const end = performance.now() + seconds * 1000;
  const answers = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() < end) {
        const answer = await send(server, requests[next++ % requests.length]);
        answers.push(answer);
        if (answer.status !== 200) await sleep(5);
      }
    }),
  );
  return answers;
}

/** Requests at random moments, so many a second on average. */
async function openLoop(server, requests, { perSecond, seconds }) {
  const begin = performance.now();
  const answers = [];
  let at = 0;
  for (let next = 0; ; next++) {
    at += (-Math.log(1 - Math.random()) / perSecond) * 1000;
    if (at > seconds * 1000) break;
    const wait = begin + at - performance.now();
    if (wait > 0) await sleep(wait);
    const sentMs = at;
    answers.push(send(server, requests[next % requests.length]).then((answer) => ({ ...answer, sentMs })));
  }
  return Promise.all(answers);
}

const ok = (answers) => answers.filter(({ status }) => status === 200);
const ms = (answers) => answers.map((answer) => answer.ms);
const f = (value, digits = 1) => value.toFixed(digits);

async function throughput() {
  const seconds = Number(option('seconds', '10'));
  say(
    '| batch | infer, images/s | p99, ms | classify, images/s | p99, ms |\n| --- | --- | --- | --- | --- |',
  );
  for (const batch of option('batches', '1,2,4,8').split(',')) {
    const server = await start(['--batch', batch, '--queue', '256']);
    const cells = [];
    for (const endpoint of ['infer', 'classify']) {
      const requests = await requestsOf(server, endpoint);
      const clients = Number(batch) * 2;
      await closedLoop(server, requests, { clients, seconds: 2 });
      const answers = await closedLoop(server, requests, { clients, seconds });
      cells.push(f(ok(answers).length / seconds), f(quantile(ms(ok(answers)), 0.99)));
    }
    say(`| ${batch} | ${cells.join(' | ')} |`);
    await server.stop();
  }
}

/** Ticks of 10 ms that a process has used. */
const ticksOf = (pid) => {
  const [, rest] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const fields = rest.split(' ');
  return Number(fields[11]) + Number(fields[12]);
};

/** Ticks that all processors have worked since the start, for anybody. */
const busyTicks = () => {
  const [user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return user + nice + system + irq + softirq;
};

/** Where the server's time goes, from its own metrics: sums and counts since its start. */
async function spent(server) {
  const { text } = await send(server, { path: '/metrics', method: 'GET' });
  const value = (name) => Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  const both = (name) => [value(`${name}_sum`), value(`${name}_count`)];
  return {
    decode: both('inception_decode_duration_seconds'),
    queue: both('inception_queue_wait_seconds'),
    batch: both('inception_inference_duration_seconds'),
    images: both('inception_batch_images'),
  };
}

/** What a load cost, and how late the generator's own event loop was while it ran. */
async function watched(server, load) {
  const ticks = () => ({
    server: ticksOf(server.pid),
    children: childrenOf(server.pid).reduce((sum, pid) => sum + ticksOf(pid), 0),
    own: ticksOf(process.pid),
    all: busyTicks(),
  });
  const lateness = monitorEventLoopDelay({ resolution: 1 });
  const earlier = await spent(server);
  const [begin, before] = [performance.now(), ticks()];
  lateness.enable();
  const answers = await load();
  lateness.disable();
  const after = ticks();
  const share = (key) => ((after[key] - before[key]) * 10) / (performance.now() - begin);
  const [own, served, decoded] = [share('own'), share('server'), share('children')];
  const others = Math.max(0, share('all') - own - served - decoded);
  const later = await spent(server);
  const mean = (key) => (later[key][0] - earlier[key][0]) / (later[key][1] - earlier[key][1]);
  const percent = (value) => `${f(value * 100, 0)}%`;
  // The timer itself takes a millisecond.
  const late = (value) => f(Math.max(0, value / 1e6 - 1));
  const note = `means: decoding ${f(mean('decode') * 1000)} ms, in the queue ${f(mean('queue') * 1000)} ms, batches of ${f(mean('images'), 2)} in ${f(mean('batch') * 1000)} ms; generator late by ${late(lateness.percentile(50))} (p50), ${late(lateness.percentile(99))} (p99) ms; processor: generator ${percent(own)}, server ${percent(served)}, its processes ${percent(decoded)}, anybody else ${percent(others)}`;
  return { answers, note };
}

async function overload() {
  const seconds = Number(option('seconds', '20'));
  const server = await start();
  const requests = await requestsOf(server, option('endpoint', 'classify'));
  await closedLoop(server, requests, { clients: 16, seconds: 3 });
  let capacity = Number(option('capacity', '0'));
  if (capacity === 0) {
    const full = ok(await closedLoop(server, requests, { clients: 16, seconds: seconds / 2 }));
    capacity = full.length / (seconds / 2);
  }
  const loads = {
    one: ['one at a time', () => closedLoop(server, requests, { clients: 1, seconds })],
    half: ['half of what it can', () => openLoop(server, requests, { perSecond: capacity / 2, seconds })],
    twice: ['twice what it can', () => openLoop(server, requests, { perSecond: capacity * 2, seconds })],
  };
  const notes = [];
  say(`It can do ${f(capacity)} images/s.\n`);
  say('| load | requests | admitted | p50, ms | p99, ms | refused | p50, ms | p99, ms | longest, ms |');
  say('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const chosen of option('loads', 'one,half,twice').split(',')) {
    const [name, load] = loads[chosen];
    await sleep(1000);
    const { answers, note } = await watched(server, load);
    const refused = answers.filter(({ status }) => status === 503);
    const others = answers.length - ok(answers).length - refused.length;
    const times = [ok(answers), refused].map(ms);
    const cells = [
      name,
      answers.length,
      times[0].length,
      f(quantile(times[0], 0.5)),
      f(quantile(times[0], 0.99)),
      times[1].length,
      ...(times[1].length === 0
        ? ['–', '–', '–']
        : [f(quantile(times[1], 0.5)), f(quantile(times[1], 0.99)), f(Math.max(...times[1]))]),
    ];
    say(`| ${cells.join(' | ')} |${others > 0 ? ` ${others} with other answers` : ''}`);
    // Until the server has noticed that it is too much, it takes requests for a burst.
    const lasting = ms(ok(answers).filter(({ sentMs }) => sentMs > 2000));
    const settled = lasting.length > 0 ? `p99 without the first 2 s ${f(quantile(lasting, 0.99))} ms; ` : '';
    notes.push(`${name}: ${settled}${note}`);
  }
  say(`\n${notes.join('\n')}`);
  await server.stop();
}

/** Resident memory of a process, in bytes. */
const residentBytes = (pid) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
const childrenOf = (pid) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

async function memory() {
  const minutes = Number(option('minutes', '60'));
  // Between a client's requests: without one the machine is full, and so is the queue.
  const pause = Number(option('pause', '0'));
  const server = await start();
  const requests = [...(await requestsOf(server, 'classify')), ...(await requestsOf(server, 'infer'))];
  const broken = { ...requests[0], body: requests[0].body.subarray(0, 20_000) };
  const end = performance.now() + minutes * 60_000;
  const counts = {};
  let next = 0;
  const client = async () => {
    while (performance.now() < end) {
      const turn = next++ % 20;
      const request = turn === 7 ? broken : requests[next % requests.length];
      const { status } = await send(server, turn === 13 ? { ...request, leaveAfterMs: 5 } : request);
      counts[status] = (counts[status] ?? 0) + 1;
      if (pause > 0 || status === 503) await sleep(Math.max(pause, 20));
    }
  };
  // More than the queue takes, so that refusals are part of it.
  const clients = Promise.all(Array.from({ length: 12 }, client));
  say('| minute | server, MiB | decoders, MiB | answers so far |\n| --- | --- | --- | --- |');
  const every = Math.max(15_000, (minutes * 60_000) / 12);
  const sample = () => {
    const mib = (bytes) => f(bytes / 2 ** 20);
    const decoders = childrenOf(server.pid).map(residentBytes);
    const minute = minutes - (end - performance.now()) / 60_000;
    say(
      `| ${f(minute)} | ${mib(residentBytes(server.pid))} | ${decoders.map(mib).join(', ')} | ${JSON.stringify(counts)} |`,
    );
  };
  while (performance.now() < end - every / 2) {
    await sleep(Math.min(every, end - performance.now()));
    sample();
  }
  await clients;
  await server.stop();
}

const modes = { throughput, overload, memory };
if (!Object.hasOwn(modes, mode ?? '') || model === undefined) {
  process.stderr.write(
    'usage: serve-load.mjs throughput|overload|memory MODEL [options] [-- options of serve]\n',
  );
  process.exit(2);
}
await modes[mode]();
