// Takes the screenshots of docs/dashboard.md in a real browser, with real runs: npm run screenshots -- RUNS IMAGE [NAME]
// RUNS is a folder with a run 'inception-resnet-v2', which gets a note, and at least one run that has a model.onnx; IMAGE is the image to classify; NAME is one screenshot's, for that alone.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import sharp from 'sharp';
import { createDashboard, listen } from '../dist/dashboard/server.js';
import { encodePng } from '../dist/data/decode.js';
import { openData } from '../dist/data/open-data.js';

const [runs, image, only] = process.argv.slice(2);
if (runs === undefined || image === undefined) {
  process.stderr.write('usage: npm run screenshots -- RUNS IMAGE [NAME]\n');
  process.exit(2);
}

const target = new URL('../docs/images/', import.meta.url).pathname;
mkdirSync(target, { recursive: true });
rmSync(join(runs, 'inception-resnet-v2', 'notes.json'), { force: true });
const app = await createDashboard({ runs, token: 'screenshots' });
const address = await listen(app, { port: 0, host: '127.0.0.1' });
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
});

const desk = { viewport: { width: 1280, height: 860 } };
const tall = { viewport: { width: 1280, height: 1180 } };
const phone = { viewport: { width: 390, height: 844 } };

async function take(name, hash, { options = desk, work = async () => {} } = {}) {
  if (only !== undefined && only !== name) return;
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(`${address}/${hash}`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await work(page);
  await page.waitForTimeout(400);
  const shot = await page.screenshot();
  // A palette suffices for a page, at a third of the bytes.
  const file = await sharp(shot).png({ palette: true, colours: 128, effort: 10 }).toBuffer();
  writeFileSync(join(target, `${name}.png`), file);
  process.stdout.write(`docs/images/${name}.png: ${Math.ceil(file.length / 1024)} kB\n`);
  await context.close();
}

const scrollTo = (text) => async (page) => {
  await page.getByText(text, { exact: true }).first().waitFor();
  await page
    .getByText(text, { exact: true })
    .first()
    .evaluate((element) => element.scrollIntoView());
};

async function writeNotes(page) {
  await page.getByLabel('Tags, with spaces').fill('baseline keep');
  await page
    .getByLabel('What is to be remembered')
    .fill('The loss rises once within the first epoch. Next: a longer warm-up, with the same seed.');
  await page.getByRole('button', { name: 'Save notes' }).click();
  await page.getByText('Saved.').waitFor();
  await page.getByRole('slider', { name: 'Loss: point' }).press('End');
  await page.getByRole('list', { name: 'Loss: values' }).getByText('validation').waitFor();
  await page.getByRole('heading', { name: 'Notes' }).evaluate((element) => element.scrollIntoView());
}

async function classify(page) {
  await page.getByLabel('From the dashboard').selectOption({ index: 1 });
  await page.getByLabel('The loaded model').waitFor();
  await page.getByLabel('Choose an image').setInputFiles(image);
  await page.getByRole('button', { name: 'Show' }).click();
  await page.getByText('depends most on').waitFor();
  await page.getByRole('heading', { name: 'Model' }).evaluate((element) => element.scrollIntoView());
}

/** Six kinds of Fashion-MNIST, with a trouser among the bags, taught to the network of the tests. */
async function teach(page) {
  const kinds = ['Ankle boot', 'Bag', 'Dress', 'Sandal', 'Sneaker', 'Trouser'];
  const folder = mkdtempSync(join(tmpdir(), 'inception-teach-'));
  const data = await openData('fashion-mnist', 'test');
  const counts = new Map(kinds.map((kind) => [kind, 0]));
  for (let index = 0; [...counts.values()].some((count) => count < 20); index++) {
    const kind = data.classes[data.label(index)];
    if (!(counts.get(kind) < 20)) continue;
    counts.set(kind, counts.get(kind) + 1);
    const png = await encodePng(await data.image(index));
    const inside = index === 2 ? 'Bag' : kind;
    mkdirSync(join(folder, inside), { recursive: true });
    writeFileSync(join(folder, inside, `${index}.png`), png);
  }
  const model = new URL('../test/fixtures/teach/fashion.onnx', import.meta.url).pathname;
  await page.getByLabel('From this device').setInputFiles(model);
  await page.getByLabel('Choose a folder of classes').setInputFiles(folder);
  await page.getByRole('button', { name: /^Train on 120/ }).click();
  await page.getByRole('heading', { name: 'What it learnt' }).waitFor();
  await page.getByRole('heading', { name: 'Classes' }).evaluate((element) => element.scrollIntoView());
  rmSync(folder, { recursive: true });
}

try {
  await take('dashboard-teach', '#/teach', {
    options: { viewport: { width: 1280, height: 2000 } },
    work: teach,
  });
  await take('dashboard-network', '#/networks?network=inception-v4');
  await take('dashboard-block', '#/networks?network=inception-resnet-v2&at=inceptionResnetA/0', {
    options: tall,
    work: scrollTo('Options'),
  });
  await take('dashboard-compare', '#/networks?compare=yes&at=inceptionResnetB/0', { options: tall });
  await take('dashboard-classify', '#/classify', { options: tall, work: classify });
  await take('dashboard-runs', '#/runs', {
    options: { ...desk, colorScheme: 'dark' },
    work: (page) => page.getByRole('img', { name: /^Loss, last values: .*validation.*validation/ }).waitFor(),
  });
  await take('dashboard-run', '#/runs?run=inception-resnet-v2&token=screenshots', {
    options: { viewport: { width: 1280, height: 1530 } },
    work: writeNotes,
  });
  await take('dashboard-mistakes', '#/runs', { work: scrollTo('Mistakes') });
  await take('dashboard-phone', '#/networks?network=inception-v4&at=inceptionA/0', {
    options: phone,
    work: scrollTo('Inception-A, block 0'),
  });
} finally {
  await browser.close();
  await app.close();
}
