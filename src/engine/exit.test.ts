/** Ends of processes and workers while an engine works, with the built package: libtorch must not be destroyed under its thread. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'inception-exit-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Begins a program of many seconds, with more work behind it. */
const work = `
import { openTorch } from '${new URL('../../dist/engine/torch.js', import.meta.url)}';
const engine = openTorch({ device: 'cpu' });
const store = await engine.createStore({ tensors: [{ name: 'x', dtype: 'float32', shape: [256, 256] }], views: [] });
const call = { do: 'call', operator: 'aten::mm', args: [{ slot: 0 }, { slot: 0 }], to: [null], layer: '' };
const steps = [{ do: 'load', name: 'x', to: 0 }, ...Array(20_000).fill(call), { do: 'free', slots: [0] }];
const program = await engine.load({ name: 'long', inputs: [], outputs: [], slots: 1, steps }, store);
for (let index = 0; index < 3; index++) program.run({}).catch((error) => console.log('rejected', error.message));
const copy = store.read('x');
`;

async function run(
  name: string,
  text: string,
): Promise<{ code: number | null; signal: string | null; output: string }> {
  const file = join(folder, name);
  writeFileSync(file, text);
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, output })));
}

describe('while a program runs,', () => {
  it.each([
    ['process.exit', 'setTimeout(() => process.exit(7), 50);', { code: 7, output: '' }],
    [
      'an uncaught error',
      "setTimeout(() => { process.exitCode = 8; throw new Error('x'); }, 50);",
      { code: 1 },
    ],
  ])('%s ends the process with its own status', async (name, end, expected) => {
    expect(await run(`${name.replaceAll(' ', '-')}.mjs`, work + end)).toMatchObject({
      signal: null,
      ...expected,
    });
  });

  it('a worker can be terminated, and the process goes on', async () => {
    writeFileSync(
      join(folder, 'worker.mjs'),
      `${work}\nimport { parentPort } from 'node:worker_threads';\nparentPort.postMessage('running');`,
    );
    const main = `
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
for (const delay of [0, 3, 20]) {
  const worker = new Worker(new URL('${pathToFileURL(join(folder, 'worker.mjs'))}'));
  await once(worker, 'message');
  await new Promise((resolve) => setTimeout(resolve, delay));
  console.log(await worker.terminate());
}
`;
    expect(await run('main.mjs', main)).toEqual({ code: 0, signal: null, output: '1\n1\n1\n' });
  });
});
