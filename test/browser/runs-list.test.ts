/** The list of runs and their charts in a real browser, with written runs instead of trainings. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestMetrics } from '../../src/train/run/records.ts';
import { RunFolder } from '../../src/train/run/run-folder.ts';
import { evaluationLine, sampleConfiguration, stepLine } from '../sample-run.ts';
import { browserPath, type Opened, openDashboard, overflow } from './harness.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const longName = `a-name-without-end-${'0123456789'.repeat(12)}`;

describe.skipIf(browserPath === undefined)('the list of runs', () => {
  const runs = mkdtempSync(join(tmpdir(), 'runs-'));
  let opened: Opened;

  /** Errors of 40% and 60% for the seeds 1 and 2, so that their mean is 50% and their standard deviation 14.14%. */
  async function writeRun(name: string, { seed, batch = 32 }: { seed: number; batch?: number }) {
    const folder = new RunFolder(join(runs, name));
    await folder.create({ ...sampleConfiguration, seed, recipe: { ...sampleConfiguration.recipe, batch } });
    for (const step of [5, 10, 15, 20]) await folder.append(stepLine(step));
    await folder.append({ ...evaluationLine(10), validationLoss: 500 });
    const watched = { block: 'inceptionResnetA/0', residualRatio: 0.3, zeroShare: 0.5 };
    await folder.append({
      ...evaluationLine(20),
      top1Error: 0.2 + 0.2 * seed,
      ...(name === 'other-6' && { blocks: [watched], remark: 'worse than guessing' }),
    });
    const test: TestMetrics = {
      kind: 'test',
      step: 20,
      epoch: 2,
      testLoss: 87,
      top1Error: 0.5,
      top5Error: 0,
      elapsedSeconds: 20,
    };
    if (name === 'alpha-1') await folder.append(test);
  }

  beforeAll(async () => {
    await writeRun('alpha-1', { seed: 1 });
    await writeRun('alpha-2', { seed: 2 });
    for (let index = 0; index < 55; index++)
      await writeRun(index === 0 ? longName : `other-${index}`, { seed: 1, batch: 64 + index });
    await mkdir(join(runs, 'broken'));
    await writeFile(join(runs, 'broken', 'config.json'), '{');
    opened = await openDashboard({ runs, token: 'secret' });
  });
  afterAll(async () => {
    await opened?.close();
    rmSync(runs, { recursive: true, force: true });
  });
  const violationsOf = async (page: Page) => {
    await page.evaluate(axe);
    return page.evaluate(
      'axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html)))',
    );
  };
  const rows = (page: Page) => page.locator('.run-table tbody tr:not(.broken)');

  it('is sorted, filtered, paged and has the columns that one chooses', async () => {
    const page = await opened.page('#/runs?show=alpha-1');
    await page.getByText('57 of 57 runs, page 1 of 2').waitFor();
    expect(await rows(page).count()).toBe(50);
    await page.getByRole('button', { name: 'Next' }).click();
    await expect.poll(() => rows(page).count()).toBe(7);
    await page.getByRole('row', { name: /^broken cannot be read: broken\/config\.json: / }).waitFor();
    await page.getByLabel('Filter').fill('ALPHA');
    await page.getByText('2 of 57 runs').waitFor();
    await page.getByRole('button', { name: 'Validation error' }).click();
    await page.getByRole('button', { name: 'Validation error' }).press('Enter');
    await page.getByRole('columnheader', { name: 'Validation error' }).getByText('↓').waitFor();
    expect(await rows(page).locator('.run-name').allTextContents()).toEqual(['alpha-2', 'alpha-1']);
    await page.getByText('Columns', { exact: true }).click();
    await page.getByLabel('batch', { exact: true }).check();
    await rows(page).first().getByText('32', { exact: true }).waitFor();
    expect(page.url()).toContain('sort=-validation');
    await page.getByLabel('Filter').fill('batch=70');
    await page.getByText('1 of 57 runs').waitFor();
    expect(await rows(page).locator('.run-name').allTextContents()).toEqual(['other-6']);
    await page.context().close();
  });

  it('groups the seeds of a configuration, with mean and spread, and a band in the charts', async () => {
    const page = await opened.page('#/runs?group=seed&filter=alpha&show=alpha-1,alpha-2');
    await page.getByText('2 of 57 runs in 1 groups').waitFor();
    await rows(page).getByText('50.00 ± 14.14%').waitFor();
    await page
      .getByRole('img', { name: /^Error, last values: mean of 2 as alpha-1: .*validation 50, test 50$/ })
      .waitFor();
    await page.locator('.chart:nth-child(2) path[fill-opacity="0.18"]').waitFor({ state: 'attached' });
    await page.context().close();
  });

  it('shows the loss of the test, and says which values lie outside the axis', async () => {
    const page = await opened.page('#/runs?show=alpha-1');
    await page
      .getByText('Above the axis, which ends at 91: alpha-1, validation: 500.', { exact: true })
      .waitFor();
    await page.getByLabel('show every value').check();
    await page.getByText('Above the axis').waitFor({ state: 'detached' });
    await page.getByLabel('logarithmic y').check();
    await page.getByLabel('Smoothing of training').press('End');
    expect(page.url()).toContain('all=yes');
    expect(page.url()).toContain('log=y');
    expect(page.url()).toContain('smooth=0.99');
    await page.getByLabel('to', { exact: true }).fill('1');
    await page
      .getByRole('img', { name: /^Loss, last values: alpha-1: training [\d.]+, validation 500$/ })
      .waitFor();
    await page.locator('.chart').first().locator('.plot').click();
    await page.locator('.picked').getByText('alpha-1, validation: 500 at 1').waitFor();
    // By the keyboard alone, what is told is a live region.
    const told = page.getByRole('list', { name: 'Learning rate: values' });
    const slider = page.getByRole('slider', { name: 'Learning rate: point' });
    await slider.press('Home');
    await told.getByText('alpha-1: 0.01 at 0.5 (epochs)').waitFor();
    await slider.press('ArrowRight');
    await told.getByText('alpha-1: 0.01 at 1 (epochs)').waitFor();
    expect(await slider.getAttribute('aria-valuetext')).toBe('1 epochs');
    await page.getByRole('button', { name: 'Show the whole x axis' }).press('Enter');
    expect(await page.getByLabel('to', { exact: true }).inputValue()).toBe('');
    // A part of the axis by dragging: from the middle of the plot nearly to its end, 2 epochs.
    const plot = await page.locator('.plot').first().boundingBox();
    const { x, y, width, height } = plot as NonNullable<typeof plot>;
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + width * 0.7, y + height / 2, { steps: 3 });
    await page.locator('.zoom-band').waitFor();
    await page.mouse.move(x + width * 0.9, y + height / 2);
    await page.mouse.up();
    await page.locator('.zoom-band').waitFor({ state: 'detached' });
    const part = ['from', 'to'].map((name) => page.getByLabel(name, { exact: true }).inputValue());
    const [from, to] = (await Promise.all(part)).map(Number) as [number, number];
    expect(from).toBeGreaterThan(0.7);
    expect(from).toBeLessThan(1.1);
    expect(to).toBeGreaterThan(1.6);
    expect(to).toBeLessThan(2);
    expect(page.url()).toContain(`from=${from}&to=${to}`);
    await page.context().close();
  });

  it('gives a chart away as SVG, PNG and CSV', async () => {
    const page = await opened.page('#/runs?show=alpha-1');
    await page.getByRole('img', { name: /^Loss, last values: alpha-1: training/ }).waitFor();
    const download = async (format: string): Promise<Buffer> => {
      const [file] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: `Loss as ${format}` }).click(),
      ]);
      expect(file.suggestedFilename()).toBe(`loss.${format.toLowerCase()}`);
      return readFile(await file.path());
    };
    expect((await download('SVG')).toString()).toMatch(/^<svg .*<\/svg>$/s);
    expect((await download('PNG')).subarray(1, 4).toString()).toBe('PNG');
    expect((await download('CSV')).toString().split('\n')).toEqual([
      'run,curve,step,epoch,value,standard deviation',
      ...[5, 10, 15, 20].map((step) => `alpha-1,training,${step},${step / 10},${2 / step},`),
      'alpha-1,validation,10,1,500,',
      'alpha-1,validation,20,2,0.05,',
      'alpha-1,test,20,2,87,',
      '',
    ]);
    await page.context().close();
  });

  it('has a page for each run, with what differs from the recipe', async () => {
    const page = await opened.page('#/runs?filter=other-6&token=secret');
    await page.getByRole('link', { name: 'Open other-6' }).click();
    await page.getByRole('heading', { level: 1, name: 'other-6' }).waitFor();
    expect(page.url()).toContain('#/runs?run=other-6');
    const row = page.getByRole('region', { name: 'Recipe', exact: true }).getByRole('row').first();
    await row.getByText('recipe: 32').waitFor();
    expect(await row.textContent()).toBe('batch70 recipe: 32');
    await page
      .getByRole('img', {
        name: 'Residual / shortcut by block, last values: other-6: inceptionResnetA/0 0.3',
      })
      .waitFor();
    await page.getByRole('region', { name: 'Warnings' }).getByText('worse than guessing').waitFor();
    await page.getByLabel('Tags, with spaces between them').fill('baseline keep');
    await page.getByLabel('What is to be remembered').fill('The warm-up was too short.');
    await page.getByRole('button', { name: 'Save notes' }).press('Enter');
    await page.getByText('Saved.').waitFor();
    // Somebody else writes; what is being written here is not lost, and not saved over theirs.
    await page.getByLabel('What is to be remembered').fill('mine');
    await writeFile(join(runs, 'other-6', 'notes.json'), '{"format":1,"text":"theirs","tags":["keep"]}');
    await page.getByRole('button', { name: 'Save notes' }).click();
    await page.getByRole('alert').getByText('were changed elsewhere meanwhile').waitFor();
    await page.getByRole('button', { name: 'Discard' }).click();
    await expect.poll(() => page.getByLabel('What is to be remembered').inputValue()).toBe('theirs');
    await page.setViewportSize({ width: 390, height: 900 });
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    expect(await violationsOf(page)).toEqual([]);
    // Without the token the notes are read only. A tag of the list filters it.
    const other = await opened.page('#/runs?run=other-6');
    await other.locator('.note-text').getByText('theirs').waitFor();
    await other.getByText(/^To write them, open the address/).waitFor();
    await other.getByRole('link', { name: 'All runs' }).click();
    await other.getByRole('button', { name: 'Only runs tagged keep' }).press('Enter');
    await other.getByText('1 of 57 runs').waitFor();
    expect(await other.getByLabel('Filter').inputValue()).toBe('tag=keep');
    await other.context().close();
    await page.goto(`${opened.address}/#/runs?run=gone`);
    await page.getByRole('alert').getByText("There is no run 'gone' in this folder.").waitFor();
    await page.context().close();
  });

  it('shows an experiment as it comes, by its arms, with its report and each of its trainings', async () => {
    const page = await opened.page('#/runs?filter=claim');
    await page.getByText('0 of 57 runs').waitFor();
    const folder = join(runs, 'claim');
    for (const seed of [1, 2]) await writeRun(`claim/runs/plain-seed${seed}`, { seed });
    await writeFile(
      join(folder, 'report.html'),
      '<!doctype html><title>Report</title><h1>What came out</h1>',
    );
    const experiment = { format: 1, claim: 'residual-connections', scale: 'minutes', seeds: 2 };
    await writeFile(join(folder, 'experiment.json'), JSON.stringify(experiment));
    await page.getByText('experiment residual-connections, scale minutes, 2 seeds; 0 trainings').waitFor();
    await page
      .getByRole('row', { name: /plain, 2 seeds/ })
      .getByText('50.00 ± 14.14%')
      .waitFor();
    await page
      .getByRole('img', { name: /^Error, last values: (.*; )?mean of 2 of claim\/plain: .*validation 50/ })
      .waitFor();
    const [report] = await Promise.all([
      page.context().waitForEvent('page'),
      page.getByRole('link', { name: 'Report of claim' }).press('Enter'),
    ]);
    await report.getByRole('heading', { name: 'What came out' }).waitFor();
    await report.close();
    expect(await violationsOf(page)).toEqual([]);
    await page.setViewportSize({ width: 390, height: 900 });
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    await page.getByRole('link', { name: 'Open seed 2 of claim/plain' }).press('Enter');
    await page.getByRole('heading', { level: 1, name: 'claim/plain-seed2' }).waitFor();
    await page.getByRole('heading', { name: 'Configuration' }).waitFor();
    await page.context().close();
  });

  it('says which runs of the address are not here', async () => {
    const page = await opened.page('#/runs?show=gone,alpha-1');
    await page.getByRole('alert').getByText("is no run of this folder: 'gone'").waitFor();
    await page.context().close();
  });

  it.each([
    [1280, 'light'],
    [390, 'dark'],
  ] as const)('fits %i pixels, %s, with a long name, and passes axe', async (width, colorScheme) => {
    const page = await opened.page(`#/runs?filter=a-name&show=${longName}`, {
      viewport: { width, height: 900 },
      colorScheme,
    });
    await rows(page).getByText(longName).waitFor();
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    const hidden = await page.evaluate(
      "(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('.scroller:has(.run-table)'))",
    );
    expect(hidden).toBeLessThanOrEqual(0);
    expect(await violationsOf(page)).toEqual([]);
    await page.context().close();
  });

  it('writes nothing to the console but what the browser says of a refused request', () =>
    expect(opened.complaints).toEqual([
      '#/runs?filter=other-6&token=secret: Failed to load resource: the server responded with a status of 409 (Conflict)',
    ]));
});
