/** The application on a static web host, in a subfolder, without the dashboard's server and its headers. */
import { createReadStream, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportOnnx } from '../../src/onnx/write/export-onnx.ts';
import { sampleModel } from '../sample-model.ts';
import { browserPath, type Opened, openBrowser } from './harness.ts';
import { writeImage } from './training.ts';

const built = fileURLToPath(new URL('../../web/dist', import.meta.url));

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

/** A minimal static host: files under /some/folder/, and an HTML page for missing files. */
function plainHost() {
  return createServer((request, response) => {
    const path = (request.url ?? '').replace(/^\/some\/folder\//, '/').replace(/\/$/, '/index.html');
    const file = built + path;
    if (!existsSync(file)) {
      response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not found</h1>');
      return;
    }
    response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' });
    createReadStream(file).pipe(response);
  });
}

describe.skipIf(browserPath === undefined)('the page on any web host', () => {
  const host = plainHost();
  let opened: Opened;
  beforeAll(async () => {
    await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
    const { port } = host.address() as { port: number };
    opened = await openBrowser(
      `http://127.0.0.1:${port}/some/folder`,
      () => new Promise((resolve) => host.close(resolve)),
    );
  });
  afterAll(() => opened?.close());

  it('explores networks', async () => {
    const page = await opened.page('#/networks?network=inception-v3');
    await page.getByLabel('Costs of inception-v3').getByText('23,834,568').waitFor();
    await page.context().close();
  });

  it('classifies with a local file, and says that it has one thread and why', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'any-host-'));
    const output = join(folder, 'small.onnx');
    await exportOnnx(sampleModel('inception-v4', { width: 0.125 }), { output });
    const page = await opened.page('#/classify');
    await page.getByLabel('From this device').setInputFiles(output);
    const facts = page.getByLabel('The loaded model');
    await facts.getByText('WebAssembly, 1 thread').waitFor();
    await facts.getByText('not cross-origin isolated').waitFor();
    rmSync(folder, { recursive: true });
    await page.context().close();
  });

  it('teaches from local images, as with a server', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'any-host-'));
    const page = await opened.page('#/teach');
    await page
      .getByLabel('From this device')
      .setInputFiles(fileURLToPath(new URL('../fixtures/teach/fashion.onnx', import.meta.url)));
    for (const [index, name] of ['Class 1', 'Class 2'].entries()) {
      const images = [0, 2, 4, 6].map((image) => writeImage(folder, image + index));
      await page.getByLabel(`Add images to ${name}`).setInputFiles(await Promise.all(images));
    }
    await page.getByRole('button', { name: 'Train on 8 images of 2 classes' }).click();
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Save taught.onnx' }).click();
    expect((await download).suggestedFilename()).toBe('taught.onnx');
    rmSync(folder, { recursive: true });
    await page.context().close();
  });

  it('has less than 600 kB without ONNX Runtime, compressed', () => {
    const files = readdirSync(join(built, 'assets')).filter((name) => !name.startsWith('ort'));
    const sizes = files.map((name) => gzipSync(readFileSync(join(built, 'assets', name))).length);
    expect(files.length).toBeGreaterThan(8);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(600_000);
  });

  it('says where to see runs', async () => {
    const page = await opened.page('#/runs');
    await page.getByText('inception dashboard --runs runs').waitFor();
    await page.context().close();
  });

  it('logs no errors except for the missing lists of runs and models', () => {
    expect(opened.complaints.filter((text) => !text.includes('404'))).toEqual([]);
  });
});
