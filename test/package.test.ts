/**
 * The package as users get it: packed, installed into an empty project with an empty home, and used there. Needs a build,
 * npm's registry, and libtorch for the last part. npm keeps its configuration and cache.
 */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Classifications } from '../src/classifier/classification.ts';
import { parametersOf } from '../src/graph/graph.ts';
import { writeModel } from '../src/model/write-model.ts';
import { exportOnnx } from '../src/onnx/write/export-onnx.ts';
import { browserPath, openBrowser } from './browser/harness.ts';
import { sampleModel } from './sample-model.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'inception-package-'));
const project = join(folder, 'project');
const home = join(folder, 'home');
const installed = join(project, 'node_modules/inception-networks');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  devDependencies: Record<string, string>;
};

const npmConfig = (key: string) =>
  spawnSync('npm', ['config', 'get', key], { cwd: root, encoding: 'utf8' }).stdout.trim();

/** The environment without this checkout's npm variables, and a home with npm's configuration only. */
const environment: NodeJS.ProcessEnv = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^npm_(?!config_)|^(XDG_|VITEST|NODE_|FORCE_COLOR)/.test(name),
    ),
  ),
  HOME: home,
  npm_config_cache: npmConfig('cache'),
  npm_config_userconfig: npmConfig('userconfig'),
};

function run(
  command: string,
  args: readonly string[],
  { cwd = project, env = {} }: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): SpawnSyncReturns<string> {
  return spawnSync(command, args, { cwd, env: { ...environment, ...env }, encoding: 'utf8' });
}

function succeed(command: string, args: readonly string[], cwd = project): string {
  const { status, stdout, stderr } = run(command, args, { cwd });
  expect({
    command: [command, ...args].join(' '),
    status,
    output: status === 0 ? '' : stdout + stderr,
  }).toEqual({
    command: [command, ...args].join(' '),
    status: 0,
    output: '',
  });
  return stdout;
}

/** As `npx inception`, without npm's own second for each. */
const inception = (...args: readonly string[]) => run(join(project, 'node_modules/.bin/inception'), args);

/** The labels printed by the command, most likely first. */
function classified(model: string, ...options: readonly string[]): (string | undefined)[] {
  const { status, stdout, stderr } = inception(
    'classify',
    'teal.png',
    '--model',
    model,
    '--json',
    ...options,
  );
  expect(status, stderr).toBe(0);
  const [image] = JSON.parse(stdout) as [{ labels: { label: string }[] }];
  return image.labels.map(({ label }) => label);
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.png': 'image/png',
  '.wasm': 'application/wasm',
};

const megabytes = (path: string): number =>
  readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(path, name)).size)
    .reduce((sum, size) => sum + size, 0) / 1e6;

let tarball: string;

beforeAll(async () => {
  mkdirSync(home);
  mkdirSync(project);
  const [packed] = JSON.parse(succeed('npm', ['pack', '--json', '--pack-destination', folder], root)) as [
    { filename: string },
  ];
  tarball = join(folder, packed.filename);
  writeFileSync(join(project, 'package.json'), '{ "name": "mine", "private": true, "type": "module" }');
  const runtime = `onnxruntime-node@${manifest.devDependencies['onnxruntime-node']}`;
  // Strict: every installed package must say that it works on this Node.js, of which 20.19 is the oldest tested.
  succeed('npm', [
    'install',
    '--engine-strict',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    tarball,
    runtime,
  ]);

  const image = sharp({ create: { width: 90, height: 80, channels: 3, background: 'teal' } });
  await image.png().toFile(join(project, 'teal.png'));
  const model = sampleModel('inception-v4', { width: 0.125 });
  await exportOnnx(model, { output: join(project, 'small.onnx') });
  const { description, graph, read } = model;
  await writeModel(join(project, 'small.safetensors'), {
    description,
    parameters: parametersOf(graph),
    read,
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the packed package', () => {
  it('is small, without tests and TypeScript sources', () => {
    expect(statSync(tarball).size / 1e6).toBeLessThan(13);
    const runtime = megabytes(join(project, 'node_modules/onnxruntime-node'));
    // docs/install.md lists the parts.
    expect(megabytes(join(project, 'node_modules')) - runtime).toBeLessThan(135);
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
    expect(
      files.filter((file) => /\.test\.|fixtures|\.map$/.test(file) || /^src\/.*\.ts$/.test(file)),
    ).toEqual([]);
    expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'native/CMakeLists.txt']));
  });

  it('is typed for a strict project', () => {
    writeFileSync(
      join(project, 'use.ts'),
      `import { InceptionError, loadClassifier, train } from 'inception-networks';
import { buildGraph, configure, conv, costsOf, filterConcat, findNetwork, type Layer } from 'inception-networks/networks';
import { exportOnnx } from 'inception-networks/onnx';
import { startServer } from 'inception-networks/server';
import { loadClassifier as loadInPage } from 'inception-networks/web';

export const inPage = async (file: Blob): Promise<string> =>
  (await (await loadInPage(new URL('https://app.example/photos.onnx'))).classify(file))[0].label;
export const block: Layer = filterConcat([conv('1x1', 96)], [conv('1x1', 64), conv('3x3', 96)]);
export const later = { exportOnnx, startServer };
const graph = buildGraph(configure(findNetwork('inception-v4'), { classes: 10 }));
const parameters: number = costsOf(graph).parameters;
try {
  const classifier = await loadClassifier('small.onnx');
  const [best] = await classifier.classify('teal.png');
  const label: string = best.label;
  console.log(parameters, label);
  await train({ network: 'inception-v4', data: 'photos', out: 'runs/photos', recipe: { epochs: 5 } });
  // @ts-expect-error an image is not a number
  await classifier.classify(3);
  await classifier.close();
} catch (error) {
  if (!(error instanceof InceptionError)) throw error;
}
`,
    );
    const compilerOptions = {
      target: 'es2023',
      module: 'nodenext',
      strict: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      types: ['node'],
      typeRoots: [join(root, 'node_modules/@types')],
    };
    const [readme] = readFileSync(join(root, 'README.md'), 'utf8').match(
      /(?<=```ts\n)import .*?(?=```)/s,
    ) ?? [''];
    expect(readme).toContain('loadClassifier');
    writeFileSync(join(project, 'readme.ts'), readme);
    const files = ['use.ts', 'readme.ts'];
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    succeed(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.']);
  });
});

describe('without libtorch', () => {
  it('classifies with an ONNX file and with weights, from the command line and from code', () => {
    const labels = classified('small.onnx');
    expect(classified('small.safetensors')).toEqual(labels);
    writeFileSync(
      join(project, 'use.js'),
      `import { loadClassifier } from 'inception-networks';
const classifier = await loadClassifier('small.onnx');
const [best] = await classifier.classify('teal.png');
console.log(best.label);
await classifier.close();`,
    );
    expect(succeed(process.execPath, ['use.js']).trim()).toBe(labels[0]);
  });

  it('inspects networks', () => {
    expect(JSON.parse(inception('summary', 'inception-v4', '--json').stdout)).toMatchObject({
      parameters: 42_679_816,
    });
  });

  it('says what to install, for training and for ONNX files', () => {
    const doctor = inception('doctor');
    expect(doctor.status).toBe(1);
    expect(doctor.stdout).toMatch(/✗ libtorch.*\n.*'npx inception setup'/);
    const train = inception('train', 'inception-v4', '--data', 'fashion-mnist', '--out', 'run');
    expect([train.status, train.stderr]).toEqual([1, expect.stringContaining('npx inception setup')]);
    const runtime = join(project, 'node_modules/onnxruntime-node');
    renameSync(runtime, `${runtime}-away`);
    const classify = inception('classify', 'teal.png', '--model', 'small.onnx');
    renameSync(`${runtime}-away`, runtime);
    expect([classify.status, classify.stderr]).toEqual([
      1,
      expect.stringContaining('npm install --ignore-scripts onnxruntime-node'),
    ]);
  });
});

describe('npx inception setup', () => {
  it('refuses an invalid LIBTORCH in one line', () => {
    const options = { env: { LIBTORCH: folder } };
    const { status, stdout, stderr } = run('npx', ['--no', 'inception', 'setup'], options);
    expect([status, stdout, stderr]).toEqual([
      1,
      '',
      `inception: LIBTORCH=${folder}: expected the folder of an unpacked libtorch or of Python's torch, with include/ATen/ATen.h and lib/libtorch_cpu.${process.platform === 'darwin' ? 'dylib' : 'so'}; these files are missing\n`,
    ]);
  });

  it('builds the addon, and then weights classify on libtorch', () => {
    const { status, stdout, stderr } = run('npx', ['--no', 'inception', 'setup']);
    expect([status, stdout], stderr).toEqual([0, `ready: ${installed}/build/inception_native.node\n`]);
    expect(stderr).toMatch(/^libtorch \d+\.\d+: .+\nBuilding the addon.*\naddon: built in/);
    expect(classified('small.safetensors', '--precision', 'float32')).toEqual(classified('small.onnx'));
  });

  it('has it in the cache too, for when npm reinstalls the package', () => {
    rmSync(join(installed, 'build'), { recursive: true });
    expect(inception('doctor').stdout).toMatch(/✓ libtorch/);
    expect(inception('setup')).toMatchObject({ status: 0, stderr: expect.not.stringContaining('Building') });
    expect(readdirSync(join(installed, 'build')).sort()).toEqual([
      'built-for',
      'inception_images.node',
      'inception_native.node',
    ]);
  });
});

describe.skipIf(browserPath === undefined)('in a page', () => {
  it('is bundled by Vite, draws a network, and classifies as in Node.js', async () => {
    const page = join(project, 'page');
    mkdirSync(page);
    writeFileSync(
      join(page, 'index.html'),
      '<link rel="icon" href="data:," /><main></main><script type="module" src="./page.ts"></script>',
    );
    writeFileSync(
      join(page, 'page.ts'),
      `import { buildGraph, configure, costsOf, drawDiagram, findNetwork } from 'inception-networks/networks';
import { loadClassifier } from 'inception-networks';
const network = configure(findNetwork('inception-v4'), { classes: 10 });
document.querySelector('main')!.innerHTML = drawDiagram(network);
const classifier = await loadClassifier('small.onnx');
const found = await classifier.classify('teal.png');
await classifier.close();
document.title = JSON.stringify([costsOf(buildGraph(network)).parameters, found]);`,
    );
    // An optional peer of 100 MB, of which the page takes 12.
    symlinkSync(join(root, 'node_modules/onnxruntime-web'), join(project, 'node_modules/onnxruntime-web'));
    const output = succeed(process.execPath, [
      join(root, 'node_modules/vite/bin/vite.js'),
      'build',
      page,
      '--base',
      './',
    ]);
    // Vite warns if it has to leave out a module of Node.js.
    expect(output).not.toContain('externalized');
    const host = createServer((request, response) => {
      const { url = '' } = request;
      const file = ['/small.onnx', '/teal.png'].includes(url)
        ? join(project, url)
        : join(page, 'dist', url === '/' ? 'index.html' : url);
      const type = types[extname(file)] ?? 'application/octet-stream';
      if (existsSync(file)) response.writeHead(200, { 'content-type': type }).end(readFileSync(file));
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
    const { port } = host.address() as AddressInfo;
    const opened = await openBrowser(`http://127.0.0.1:${port}`, async () => host.close());
    try {
      const shown = await opened.page('');
      await shown.locator('main svg').waitFor();
      await shown.waitForFunction('document.title !== ""');
      const [parameters, found] = JSON.parse(await shown.title()) as [number, Classifications];
      // 42,679,816 less the classifier's 1,537,000, and 15,370 for ten classes.
      expect(parameters).toBe(41_158_186);
      const expected = JSON.parse(
        inception('classify', 'teal.png', '--model', 'small.onnx', '--json').stdout,
      )[0].labels as Classifications;
      expect(found.map(({ label }) => label)).toEqual(expected.map(({ label }) => label));
      for (const [index, { probability }] of found.entries())
        expect(probability).toBeCloseTo(expected[index]?.probability ?? Number.NaN, 4);
      await shown.context().close();
      expect(opened.complaints).toEqual([]);
    } finally {
      await opened.close();
    }
  });
});
