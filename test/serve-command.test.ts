/** `inception serve` as a process: log, responses, signals and exit codes. Runs the built command. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parametersOf } from '../src/graph/graph.ts';
import { writeModel } from '../src/model/write-model.ts';
import { sampleModel } from './sample-model.ts';
import { imageFile } from './server-models.ts';

const command = fileURLToPath(new URL('../bin/inception', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'serve-'));
const [torchFile, onnxFile] = [join(folder, 'shoes.safetensors'), join(folder, 'shoes.onnx')];
const env = { ...process.env, NO_COLOR: '1', OMP_WAIT_POLICY: 'passive' };
const run = (args: readonly string[]) =>
  spawnSync(process.execPath, [command, ...args], { encoding: 'utf8', env });

let child: ChildProcess | undefined;

interface RunningServer {
  readonly address: string;
  readonly log: () => Record<string, unknown>[];
  readonly stdout: () => string;
  readonly exit: Promise<number | null>;
  /** Signals the process group, as a terminal does: the decoders get it too. */
  kill(signal: NodeJS.Signals): void;
}

async function serve(...args: string[]): Promise<RunningServer> {
  const started = spawn(process.execPath, [command, 'serve', '--port', '0', ...args], {
    env,
    detached: true,
  });
  child = started;
  let [stdout, stderr] = ['', ''];
  started.stdout.on('data', (data) => {
    stdout += data;
  });
  started.stderr.on('data', (data) => {
    stderr += data;
  });
  const exit = new Promise<number | null>((resolve) => started.on('close', resolve));
  const log = () =>
    stderr
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  await expect.poll(() => stderr, { interval: 20 }).toContain('"msg":"ready"}');
  const address = log().find(({ msg }) => msg === 'ready')?.address as string;
  return {
    address,
    log,
    stdout: () => stdout,
    exit,
    kill: (signal) => void process.kill(-(started.pid as number), signal),
  };
}

const classify = async (address: string, query = '') => {
  const body = new Uint8Array(await imageFile('red', { side: 100 }));
  const response = await fetch(`${address}/classify${query}`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'image/png' },
  });
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says is compared
  return (await response.json()) as any;
};

beforeAll(async () => {
  const { graph, description, read } = sampleModel('inception-resnet-v2');
  await writeModel(torchFile, { description, parameters: parametersOf(graph), read });
  expect(run(['export', torchFile, '-o', onnxFile])).toMatchObject({ status: 0 });
});
afterEach(() => {
  child?.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('inception serve', () => {
  it('serves a model with libtorch and as ONNX, by name, with the same results', async () => {
    const { address, log, exit, kill, stdout } = await serve(
      torchFile,
      `boots=${onnxFile}`,
      '--precision',
      'float32',
      '--grace',
      '0ms',
    );
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(log().find(({ msg }) => msg === 'ready')).toMatchObject({
      models: [
        {
          name: 'shoes',
          platform: 'inception_libtorch',
          runtime: expect.stringMatching(/^libtorch .*, float32 \(installed\)$/),
        },
        {
          name: 'boots',
          platform: 'onnxruntime_onnx',
          runtime: expect.stringMatching(/ \(an \.onnx file\)$/),
        },
      ],
    });
    const [first, second] = [await classify(address), await classify(address, '?model=boots')];
    expect([first.model, second.model]).toEqual(['shoes', 'boots']);
    expect(first.results[0].labels).toHaveLength(5);
    for (const [index, { label, probability }] of first.results[0].labels.entries()) {
      expect(second.results[0].labels[index].label).toBe(label);
      expect(second.results[0].labels[index].probability).toBeCloseTo(probability, 4);
    }
    const offline = run([
      'classify',
      '--model',
      torchFile,
      '--precision',
      'float32',
      '--json',
      await writeImage(),
    ]);
    expect(JSON.parse(offline.stdout)[0].labels[0]).toMatchObject({
      label: first.results[0].labels[0].label,
    });
    kill('SIGTERM');
    expect(await exit).toBe(143);
    expect(log().at(-1)).toMatchObject({ msg: 'all open requests were answered' });
    expect(log().filter(({ msg }) => msg === 'answered')).toHaveLength(2);
    expect(stdout()).toBe('');
  });

  it("serves another tool's .onnx file with options for its preprocessing", async () => {
    const foreign = fileURLToPath(new URL('fixtures/pytorch-onnx/dynamo.onnx', import.meta.url));
    const { address } = await serve(foreign, '--preprocessing', 'imagenet', '--crop', '1');
    const { model, results } = await classify(address, '?top=1');
    expect([model, results[0].labels[0].label]).toEqual(['dynamo', expect.stringMatching(/^class \d$/)]);
  });

  it('exits with 130 on Ctrl-C, also if its decoders get the signal, and at once on a second signal', async () => {
    const first = await serve(onnxFile);
    first.kill('SIGINT');
    expect(await first.exit).toBe(130);
    const second = await serve(onnxFile, '--drain', '60m');
    // The server would wait for this request, which never ends.
    const never = new AbortController();
    const stream = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) });
    const slow = { method: 'POST', body: stream, duplex: 'half', signal: never.signal } as RequestInit;
    const answer = fetch(`${second.address}/classify`, slow).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 200));
    second.kill('SIGTERM');
    await expect.poll(second.log).toContainEqual(expect.objectContaining({ signal: 'SIGTERM' }));
    // Without waiting the hour: this test has a limit.
    second.kill('SIGTERM');
    expect(await second.exit).toBe(143);
    never.abort();
    await answer;
  });

  it('refuses invalid options, models and ports', async () => {
    const occupied = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => occupied.once('listening', resolve));
    const { port } = occupied.address() as { port: number };
    const cases: [args: string[], status: number, message: RegExp][] = [
      [[], 2, /missing required argument 'model'/],
      [
        [onnxFile, '--wait', '5'],
        2,
        /--wait: expected a duration of at most a day, like 5ms, 2s or 1m, received '5'/,
      ],
      [[onnxFile, '--port', '70000'], 2, /--port: expected at most 65535/],
      [
        [onnxFile, '--cors', 'https://app.example/'],
        2,
        /--cors: expected origins such as https:\/\/app\.example .*, received 'https:\/\/app\.example\/'/,
      ],
      [
        [onnxFile, '--allow-host', 'a.example', '--token', 'x'],
        2,
        /--allow-host has no effect: the server has a token, so every host name is allowed/,
      ],
      [[onnxFile, '--token', 'a b'], 2, /--token: expected a token without spaces/],
      [[onnxFile, torchFile], 2, /two models are called 'shoes'; NAME=.* gives one of them another name/],
      [[`a b=${onnxFile}`], 2, /'a b' cannot be the name of a model/],
      [[join(folder, 'none.onnx')], 1, /none\.onnx: no such file/],
      [[onnxFile, '--port', String(port)], 1, /EADDRINUSE/],
    ];
    for (const [args, status, message] of cases) {
      const result = run(['serve', ...args]);
      expect({ args, status: result.status, stderr: result.stderr }).toEqual({
        args,
        status,
        stderr: expect.stringMatching(message),
      });
    }
    occupied.close();
  });
});

/** The image of `classify` as a file. */
async function writeImage(): Promise<string> {
  const { writeFile } = await import('node:fs/promises');
  const file = join(folder, 'red.png');
  await writeFile(file, await imageFile('red', { side: 100 }));
  return file;
}
