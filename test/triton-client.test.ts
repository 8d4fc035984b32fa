/** Triton's Python client with our server, if installed: `pip install 'tritonclient[http]'`. */
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { colourModel } from './server-models.ts';
import { startTestServer } from './test-server.ts';

const { status } = spawnSync('python3', ['-c', 'import tritonclient.http, tritonclient.http.aio']);
const reason = status === 0 ? '' : " (skipped: this python3 has no package 'tritonclient[http]')";

it.skipIf(reason !== '')(`Triton's client works unchanged${reason}`, async () => {
  const server = await startTestServer([colourModel()], { queue: 64 });
  try {
    const script = fileURLToPath(new URL('triton-client.py', import.meta.url));
    const child = spawn('python3', [script, server.address.replace('http://', '')]);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => {
        output += data;
      });
    await new Promise((resolve) => child.on('close', resolve));
    expect(output).toBe('everything holds\n');
  } finally {
    await server.drain();
  }
});
