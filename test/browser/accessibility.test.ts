/** Checks every page, light and dark, with axe: names, roles, landmarks, heading order, contrast. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportOnnx } from '../../src/onnx/write/export-onnx.ts';
import { sampleModel } from '../sample-model.ts';
import { writeSampleRun } from '../sample-run.ts';
import { browserPath, type Opened, openDashboard } from './harness.ts';
import { writeImage } from './training.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

describe.skipIf(browserPath === undefined)('every page', () => {
  const folder = mkdtempSync(join(tmpdir(), 'accessible-'));
  const model = join(folder, 'first.onnx');
  let opened: Opened;
  let image: string;
  /** Images of two classes. */
  const examples: string[][] = [[], []];
  beforeAll(async () => {
    await writeSampleRun(join(folder, 'first'));
    await exportOnnx(sampleModel('inception-v4', { width: 0.125 }), {
      output: model,
    });
    image = await writeImage(folder, 18);
    for (let index = 0; index < 8; index++) examples[index % 2]?.push(await writeImage(folder, index));
    opened = await openDashboard({ runs: folder });
  });
  afterAll(async () => {
    await opened?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    ['#/networks?network=inception-v4&auxiliary=true', 'Costs of inception-v4'],
    ['#/networks?network=inception-resnet-v2&at=inceptionResnetA/0', 'Blocks of this stage'],
    ['#/networks?compare=yes', 'Table of differences'],
    ['#/networks?classes=-1', 'First network'],
    ['#/runs', 'Confusion matrix'],
    ['#/classify', 'The most probable labels'],
    ['#/teach', 'Code for TypeScript'],
  ] as const)('%s is accessible, light and dark', async (hash, shown) => {
    const page = await opened.page(hash, { colorScheme: 'light' });
    if (hash === '#/teach') {
      await page.getByLabel('From this device').setInputFiles(model);
      // The second class has one wrong label, so that there are mistakes to be shown.
      for (const [index, name] of ['Class 1', 'Class 2'].entries())
        await page.getByLabel(`Add images to ${name}`).setInputFiles(examples[index] as string[]);
      await page.getByRole('button', { name: 'Train on 8 images of 2 classes' }).click();
      await page.getByRole('button', { name: 'Camera: photograph Class 1' }).click();
    }
    if (hash === '#/classify') {
      await page.getByLabel('From this device').setInputFiles(model);
      await page.getByLabel('Choose an image').setInputFiles(image);
    }
    await page.getByLabel(shown, { exact: true }).first().waitFor();
    await page.evaluate(axe);
    const check = async (options: string) => {
      const violations = await page.evaluate(`axe.run(${options}).then(({ violations }) => violations)`);
      return (violations as Violation[]).map(
        ({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`,
      );
    };
    const light = await check('');
    await page.emulateMedia({ colorScheme: 'dark' });
    const dark = await check("{ runOnly: 'color-contrast' }");
    await page.context().close();
    expect({ light, dark }).toEqual({ light: [], dark: [] });
  });
});
