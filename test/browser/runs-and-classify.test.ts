/**
 * The Runs and Classify pages in a real browser, with a training in progress and with the model that it writes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadClassifier } from '../../src/classifier/classifier.ts';
import { loadEmbedder } from '../../src/embedder/embedder.ts';
import { exportOnnx } from '../../src/onnx/write/export-onnx.ts';
import { sampleModel } from '../sample-model.ts';
import { browserPath, type Opened, openDashboard, overflow } from './harness.ts';
import { inception, trainSmall, writeImage } from './training.ts';

describe.skipIf(browserPath === undefined)('the pages Runs and Classify', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dashboard-'));
  const runs = join(folder, 'runs');
  const models = join(folder, 'models');
  const model = join(runs, 'second', 'model.onnx');
  const searched = join(folder, 'searched');
  let opened: Opened;
  let image: string;
  let training: Promise<void>;

  beforeAll(async () => {
    await mkdir(runs);
    await mkdir(models);
    opened = await openDashboard({ runs, models });
    image = await writeImage(folder, 18);
    await mkdir(searched);
    for (let index = 0; index < 6; index++) await writeImage(searched, index);
  });
  afterAll(async () => {
    await opened?.close();
    await training?.catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  });

  it('waits for the first run, follows it while it trains and shows its mistakes', async () => {
    const page = await opened.page('#/runs');
    await page.getByText('No runs in this folder yet').waitFor();
    await page.getByText('live, updated during training').waitFor();
    training = trainSmall(join(runs, 'first'));
    // No interaction from here on.
    const row = page.getByRole('row', { name: /first/ });
    await row.getByText('training').waitFor();
    const loss = page.getByRole('img', { name: /^Loss, last values: first: training [\d.]+/ });
    await loss.waitFor();
    const before = await loss.getAttribute('aria-label');
    await expect.poll(() => loss.getAttribute('aria-label')).not.toBe(before);
    await training;
    await row.getByText('finished').waitFor();
    await page
      .getByRole('img', {
        name: /^Error, last values: first: training [\d.]+, validation [\d.]+, test [\d.]+/,
      })
      .waitFor();
    const matrix = page.getByRole('region', { name: 'Confusion matrix' });
    await matrix.getByRole('rowheader', { name: 'Ankle boot' }).waitFor();
    const counts = await matrix.locator('td.right, td.wrong').allTextContents();
    const total = counts.reduce((sum, count) => sum + (Number(count) || 0), 0);
    expect(total).toBe(60);
    const scores = page.getByRole('region', { name: 'Scores of each class' });
    await scores.getByRole('rowheader', { name: 'Ankle boot' }).waitFor();
    await scores.getByText(/balanced accuracy \d+\.\d\d%, macro F1 \d+\.\d\d%/).waitFor();
    const mistakes = page.getByRole('list', { name: 'Most confident mistakes' }).getByRole('listitem');
    expect(await mistakes.count()).toBeGreaterThan(0);
    expect(await page.evaluate("document.querySelector('.mistakes img').naturalWidth")).toBe(28);
    await page.context().close();
  });

  it('overlays several runs', async () => {
    await mkdir(join(runs, 'second'), { recursive: true });
    for (const name of ['config.json', 'metrics.jsonl', 'evaluation.json', 'model.safetensors'])
      await copyFile(join(runs, 'first', name), join(runs, 'second', name));
    const page = await opened.page('#/runs?axis=step');
    await page
      .getByRole('img', { name: /^Learning rate, last values: (first|second): .*; (first|second): / })
      .waitFor();
    await page.getByLabel('second', { exact: true }).uncheck();
    await page.getByRole('img', { name: /^Learning rate, last values: first: [^;]*$/ }).waitFor();
    expect(page.url()).toContain('show=first');
    await page.context().close();
  });

  it('shows a broken run with the reason, next to the others', async () => {
    await mkdir(join(runs, 'broken'));
    await writeFile(join(runs, 'broken', 'config.json'), '{ "format": 1 }');
    const page = await opened.page('#/runs');
    const line = page.getByRole('row', { name: /^broken cannot be read: broken\/config\.json: / });
    await line.waitFor();
    await page.getByRole('row', { name: /first/ }).waitFor();
    rmSync(join(runs, 'broken'), { recursive: true });
    await line.waitFor({ state: 'detached' });
    await page.context().close();
  });

  it('classifies as Node.js does, on all allowed threads, and from the cache the second time', async () => {
    await inception(['export', join(runs, 'first'), '-o', model]);
    const page = await opened.page('#/classify');
    await chooseModel(page, /second\/model\.onnx/);
    const facts = page.getByLabel('The loaded model');
    await facts.getByText(/WebAssembly, \d+ threads?/).waitFor();
    await facts.getByText('not cached, SHA-256 verified').waitFor();
    await page.getByLabel('Choose an image').setInputFiles(image);
    const labels = await answers(page);
    const classifier = await loadClassifier(model);
    const expected = await classifier.classify(image);
    await classifier.close();
    expect(labels.map(({ label }) => label)).toEqual(expected.map(({ label }) => label));
    for (const [index, { probability }] of expected.entries())
      expect(Math.abs((labels[index]?.probability ?? 0) - probability)).toBeLessThan(2e-4);
    await page.reload();
    await chooseModel(page, /second\/model\.onnx/);
    await facts.getByText("from the browser's cache, SHA-256 verified").waitFor();
    await page.getByRole('button', { name: /^Clear cache/ }).click();
    await page.getByRole('button', { name: /^Clear cache/ }).waitFor({ state: 'detached' });
    await page.context().close();
  });

  it('shows which pixels an answer depends on, and can be stopped', async () => {
    const page = await opened.page('#/classify');
    await page.getByLabel('From this device').setInputFiles(model);
    await page.getByLabel('Choose an image').setInputFiles(image);
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByText(/depends most on the (top|middle|bottom) (left|centre|right)/).waitFor();
    await page.getByRole('img', { name: /^Saliency map of/ }).waitFor();
    await page.getByLabel('Grid').selectOption('24');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('Stopped.').waitFor();
    // What is inside, by a second session: channels of a part, and the first filters.
    await page.getByLabel('Part', { exact: true }).selectOption('reductionA');
    await page.getByRole('button', { name: 'Look inside' }).click();
    await page.getByText(/\d+ channels of 3×3, the one with the largest mean first/).waitFor();
    await page
      .getByRole('img', { name: /^Channel \d+: mean/ })
      .first()
      .waitFor();
    await page.getByLabel('Part', { exact: true }).selectOption('the filters of the first convolution');
    await page.getByRole('button', { name: 'Look inside' }).click();
    await page.getByRole('img', { name: 'Filter 0' }).waitFor();
    // And the images in which a channel is strongest, as the command line finds them.
    await page.getByLabel('Part', { exact: true }).selectOption('reductionA');
    await page.getByLabel('Channel of reductionA').fill('3');
    await page.getByLabel('Search a folder of images').setInputFiles(searched);
    await page
      .getByText('6 of 6 images; those with the largest mean of channel 3 of reductionA first')
      .waitFor();
    const strongest = page.getByRole('list', { name: 'Strongest images of channel 3' });
    const means = (await strongest.locator('figcaption').allTextContents()).map(Number);
    const embedder = await loadEmbedder(join(runs, 'first'), { features: 'reductionA' });
    const { files, values } = await embedder.embedFiles([searched]);
    await embedder.close();
    const expected = files
      .map((file, row) => ({ name: basename(file), mean: values[row * embedder.length + 3] as number }))
      .sort((a, b) => b.mean - a.mean);
    const [best] = expected;
    expect(await strongest.getByRole('img').first().getAttribute('alt')).toBe(best?.name);
    expect(means.length).toBe(6);
    expected.forEach(({ mean }, at) => {
      expect(Math.abs(mean - (means[at] as number))).toBeLessThan(0.01 * (best?.mean ?? 0));
    });
    // A larger input has a grid before the classifier, whose cells say it in one run.
    const larger = join(folder, 'larger.onnx');
    await exportOnnx(sampleModel('inception-v4', { width: 0.125, inputSize: 139 }), { output: larger });
    await page.getByLabel('From this device').setInputFiles(larger);
    await page.getByLabel('Grid').selectOption('last grid, at once');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByText(/(adds most to|No cell of the last grid speaks for) “class \d”/).waitFor();
    await page.context().close();
  });

  it('accepts pasted and dropped images', async () => {
    const page = await opened.page('#/classify');
    await page.getByLabel('From this device').setInputFiles(model);
    await page.getByLabel('The loaded model').waitFor();
    const bytes = JSON.stringify([...(await readFile(image))]);
    const transfer = `(() => { const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(${bytes})], 'bag.png', { type: 'image/png' })); return data; })()`;
    await page.evaluate(`dispatchEvent(new ClipboardEvent('paste', { clipboardData: ${transfer} }))`);
    const pasted = await answers(page);
    await page.reload();
    await page.getByLabel('From this device').setInputFiles(model);
    await page.getByLabel('The loaded model').waitFor();
    await page.evaluate(
      `document.querySelector('.drop').dispatchEvent(new DragEvent('drop', { bubbles: true, dataTransfer: ${transfer} }))`,
    );
    expect(await answers(page)).toEqual(pasted);
    await page.context().close();
  });

  it('refuses a file that is not a model, and one that is not an image', async () => {
    const page = await opened.page('#/classify');
    await page.getByLabel('From this device').setInputFiles(image);
    await page
      .getByRole('alert')
      .getByText(/^image-18.png: this is a PNG image, not a model. Choose it under Image/)
      .waitFor();
    await page.getByLabel('From this device').setInputFiles(model);
    await page.getByLabel('The loaded model').waitFor();
    await page.getByLabel('Choose an image').setInputFiles({
      name: 'broken.png',
      mimeType: 'image/png',
      buffer: Buffer.from('no image'),
    });
    await page.getByRole('alert').getByText('the image (image/png) cannot be decoded').waitFor();
    await page.context().close();
  });

  it('fits a phone, light and dark', async () => {
    const phone = { viewport: { width: 360, height: 740 }, colorScheme: 'dark' } as const;
    const page = await opened.page('#/runs', phone);
    await page.getByRole('region', { name: 'Confusion matrix' }).waitFor();
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    await page.goto(`${opened.address}/#/classify`);
    await page.getByLabel('From this device').setInputFiles(model);
    await page.getByLabel('Choose an image').setInputFiles(image);
    await answers(page);
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    await page.context().close();
  });

  it('logs no errors', () => {
    expect(opened.complaints).toEqual([]);
  });
});

async function chooseModel(page: Page, name: RegExp): Promise<void> {
  const select = page.getByLabel('From the dashboard');
  await select.waitFor();
  const label = (await select.getByRole('option').allTextContents()).find((text) => name.test(text));
  await select.selectOption({ label: label as string });
}

/** The five labels with their probabilities, as shown on the page. */
async function answers(page: Page): Promise<{ label: string; probability: number }[]> {
  const items = page.getByRole('list', { name: 'The most probable labels' }).getByRole('listitem');
  await items.first().waitFor();
  const texts = await items.locator('span').allTextContents();
  return Array.from({ length: texts.length / 2 }, (_, index) => ({
    label: texts[2 * index] as string,
    probability: Number.parseFloat(texts[2 * index + 1] as string) / 100,
  }));
}
