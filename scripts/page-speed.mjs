// Times .onnx files in headless Chromium on ONNX Runtime's WebAssembly, in turns: node scripts/page-speed.mjs ROUNDS THREADS FILE.onnx[,fixed]…
// Each file has a page of its own, so that sessions do not share memory; ',fixed' fixes the batch to 1 ahead of the session.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { basename, dirname, extname, join } from 'node:path';
import { chromium } from 'playwright-core';

const [rounds, threads, ...files] = process.argv.slice(2);
if (files.length === 0) {
  process.stderr.write('usage: node scripts/page-speed.mjs ROUNDS THREADS FILE.onnx[,fixed]…\n');
  process.exit(2);
}

const runtime = dirname(createRequire(import.meta.url).resolve('onnxruntime-web'));
const types = { '.mjs': 'text/javascript', '.js': 'text/javascript', '.wasm': 'application/wasm' };
const page = '<!doctype html><meta charset="utf-8"><title>speed</title>';

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const headers = {
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
  };
  const model = /^\/model\/(\d+)$/.exec(url.pathname);
  const path = model ? files[Number(model[1])].replace(/,fixed$/, '') : join(runtime, url.pathname);
  if (url.pathname === '/')
    return response.writeHead(200, { ...headers, 'content-type': 'text/html' }).end(page);
  if (!existsSync(path) || !statSync(path).isFile()) return response.writeHead(404, headers).end();
  response.writeHead(200, {
    ...headers,
    'content-type': types[extname(path)] ?? 'application/octet-stream',
    'content-length': statSync(path).size,
  });
  createReadStream(path).pipe(response);
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const address = `http://127.0.0.1:${server.address().port}`;
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});

/** In the page: opens the model and gives the time until the session is there and until the first result. */
const open = async ({ url, threads, isFixed }) => {
  const ort = await import('/ort.wasm.min.mjs');
  ort.env.wasm.wasmPaths = '/';
  ort.env.wasm.numThreads = threads;
  const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
  const begin = performance.now();
  const options = { executionProviders: ['wasm'], graphOptimizationLevel: 'all' };
  const fixed = isFixed ? { freeDimensionOverrides: { n: 1 } } : {};
  const session = await ort.InferenceSession.create(bytes, { ...options, ...fixed });
  const [{ name, type, shape }] = session.inputMetadata;
  const dims = shape.map((size) => (typeof size === 'number' ? size : 1));
  const length = dims.reduce((product, size) => product * size, 1);
  const data =
    type === 'uint8'
      ? Uint8Array.from({ length }, (_, at) => (at * 7919) % 256)
      : Float32Array.from({ length }, (_, at) => ((at * 7919) % 256) / 128 - 1);
  globalThis.run = async () => {
    const from = performance.now();
    await session.run({ [name]: new ort.Tensor(type, data, dims) });
    return performance.now() - from;
  };
  const opened = performance.now() - begin;
  await globalThis.run();
  return { opened, first: performance.now() - begin };
};

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
try {
  const pages = [];
  for (const [index, file] of files.entries()) {
    const context = await browser.newContext();
    const tab = await context.newPage();
    await tab.goto(address);
    const isFixed = file.endsWith(',fixed');
    const started = await tab.evaluate(open, { url: `/model/${index}`, threads: Number(threads), isFixed });
    pages.push({ file: basename(file), tab, started, times: [] });
  }
  for (let round = 0; round < Number(rounds); round++)
    for (const { tab, times } of pages) times.push(await tab.evaluate(() => globalThis.run()));
  const [{ times: reference }] = pages;
  for (const { file, started, times } of pages)
    process.stdout.write(
      `${file}: ${median(times).toFixed(0)} ms (${Math.min(...times).toFixed(0)} at least), ${(median(reference) / median(times)).toFixed(2)}x; session in ${(started.opened / 1000).toFixed(2)} s, first result after ${(started.first / 1000).toFixed(2)} s\n`,
    );
} finally {
  await browser.close();
  server.close();
}
