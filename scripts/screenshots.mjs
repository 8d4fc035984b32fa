// Takes the screenshots of docs/dashboard.md in a real browser, with real runs: npm run screenshots -- RUNS IMAGE
// RUNS is a folder with at least one run that has a model.onnx; IMAGE is the image to classify.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import sharp from 'sharp';
import { createDashboard, listen } from '../dist/dashboard/server.js';

const [runs, image] = process.argv.slice(2);
if (runs === undefined || image === undefined) {
  process.stderr.write('usage: npm run screenshots -- RUNS IMAGE\n');
  process.exit(2);
}

const target = new URL('../docs/images/', import.meta.url).pathname;
mkdirSync(target, { recursive: true });
const app = await createDashboard({ runs });
const address = await listen(app, { port: 0, host: '127.0.0.1' });
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
});

const desk = { viewport: { width: 1280, height: 860 } };
const tall = { viewport: { width: 1280, height: 1180 } };
const phone = { viewport: { width: 390, height: 844 } };

async function take(name, hash, { options = desk, work = async () => {} } = {}) {
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

async function classify(page) {
  await page.getByLabel('From the dashboard').selectOption({ index: 1 });
  await page.getByLabel('The loaded model').waitFor();
  await page.getByLabel('Choose an image').setInputFiles(image);
  await page.getByRole('button', { name: 'Show' }).click();
  await page.getByText('depends most on').waitFor();
  await page.getByRole('heading', { name: 'Model' }).evaluate((element) => element.scrollIntoView());
}

try {
  await take('dashboard-network', '#/networks?network=inception-v4');
  await take('dashboard-block', '#/networks?network=inception-resnet-v2&at=inceptionResnetA/0', {
    options: tall,
    work: scrollTo('Options'),
  });
  await take('dashboard-compare', '#/networks?compare=yes&at=inceptionResnetB/0', { options: tall });
  await take('dashboard-classify', '#/classify', { options: tall, work: classify });
  await take('dashboard-runs', '#/runs', { options: { ...desk, colorScheme: 'dark' } });
  await take('dashboard-mistakes', '#/runs', { work: scrollTo('Mistakes') });
  await take('dashboard-phone', '#/networks?network=inception-v4&at=inceptionA/0', {
    options: phone,
    work: scrollTo('Inception-A, block 0'),
  });
} finally {
  await browser.close();
  await app.close();
}
