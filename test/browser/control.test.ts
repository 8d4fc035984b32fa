/** A training that is started, stopped and resumed from the page, with the token of the address. */
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunFolder } from '../../src/train/run/run-folder.ts';
import { browserPath, type Opened, openDashboard } from './harness.ts';
import { trainSmall, writeImage } from './training.ts';

describe.skipIf(browserPath === undefined)('a dashboard that may train', () => {
  const folder = mkdtempSync(join(tmpdir(), 'control-'));
  const runs = join(folder, 'runs');
  const shoes = new RunFolder(join(runs, 'shoes'));
  let opened: Opened;
  beforeAll(async () => {
    await mkdir(runs);
    await trainSmall(join(runs, 'first'));
    opened = await openDashboard({ runs, token: 'secret' });
  });
  afterAll(async () => {
    await opened?.close();
    // What a failed test has left to train.
    const left = await shoes.holder().catch(() => undefined);
    if (left?.state === 'runs') process.kill(left.holder.pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  it('teaches from images of the page, and stops and resumes what it began', async () => {
    const page = await opened.page('#/teach?token=secret');
    await page.getByRole('heading', { name: "Train on the dashboard's machine" }).waitFor();
    expect(page.url()).toBe(`${opened.address}/#/teach`);
    for (const [index, name] of ['Class 1', 'Class 2'].entries()) {
      const images = Array.from({ length: 12 }, (_, image) => writeImage(folder, 2 * image + index));
      await page.getByLabel(`Add images to ${name}`).setInputFiles(await Promise.all(images));
    }
    await page.getByLabel('Weights to start from').selectOption('first');
    await page.getByLabel('Name of the run').fill('shoes');
    await page.getByRole('button', { name: 'Send and train' }).click();
    await page.getByRole('link', { name: 'shoes' }).click();
    await page.getByRole('heading', { level: 1, name: 'shoes' }).waitFor();
    await page.getByRole('button', { name: 'Stop, with a checkpoint' }).click();
    const resume = page.getByRole('button', { name: 'Resume' });
    await resume.waitFor();
    expect(await shoes.isTraining()).toBe(false);
    const [step] = await shoes.checkpoints();
    expect(step).toBeGreaterThan(0);
    expect(await readFile(shoes.file('output.log'), 'utf8')).toContain('SIGINT: saving a checkpoint');
    await page
      .getByLabel('Code for the command')
      .getByText(/^inception train --weights .*--recipe fine-tune/)
      .waitFor();
    await resume.click();
    await page.getByRole('button', { name: /^(Stop|Resuming)/ }).waitFor();
    await expect.poll(async () => (await shoes.checkpoints())[0]).toBeGreaterThan(step as number);
    expect((await readdir(join(runs, '.taught', 'shoes'))).toSorted()).toEqual(['Class 1', 'Class 2']);
    // Another tab has no token, and says where it is.
    const other = await opened.page('#/runs?run=shoes');
    await other.getByText(/^To (stop|resume) this run, open the address/).waitFor();
    expect(opened.complaints).toEqual([]);
    await other.context().close();
    await page.context().close();
  });
});
