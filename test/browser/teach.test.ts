/**
 * The Teach page in a real browser: six kinds of photographs of Fashion-MNIST, which its test set has and the small network's training
 * images have not (test/fixtures/teach).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadClassifier } from '../../src/classifier/classifier.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import { encodePng } from '../../src/data/decode.ts';
import { openData } from '../../src/data/open-data.ts';
import { browserPath, type Opened, openDashboard, overflow } from './harness.ts';

const model = fileURLToPath(new URL('../fixtures/teach/fashion.onnx', import.meta.url));
const kinds = ['Trouser', 'Sandal', 'Bag', 'Ankle boot', 'Dress', 'Sneaker'];
const perKind = 20;

describe.skipIf(browserPath === undefined)('the page that teaches', () => {
  const folder = mkdtempSync(join(tmpdir(), 'teach-'));
  const photos = join(folder, 'photos');
  const unseen = join(folder, 'unseen.png');
  let opened: Opened;

  beforeAll(async () => {
    await mkdir(join(folder, 'runs'));
    const data = await openData('fashion-mnist', 'test');
    const counts = new Map(kinds.map((kind) => [kind, 0]));
    for (const kind of kinds) await mkdir(join(photos, kind), { recursive: true });
    for (let index = 0; [...counts.values()].some((count) => count < perKind); index++) {
      const kind = data.classes[data.label(index)] as string;
      const count = counts.get(kind);
      if (count === undefined || count === perKind) continue;
      await writePng(data, index, join(photos, kind, `${index}.png`));
      counts.set(kind, count + 1);
    }
    await writeFile(join(photos, 'notes.txt'), 'no image');
    // The last bag of the test set is nobody's example.
    const last = lastOf(data, 'Bag');
    await writePng(data, last, unseen);
    opened = await openDashboard({ runs: join(folder, 'runs') });
  });
  afterAll(async () => {
    await opened?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('learns six kinds of photographs to under 5% error, finds the wrong labels, and gives the model away', async () => {
    const page = await opened.page('#/teach');
    await page.getByLabel('From this device').setInputFiles(model);
    await page.getByLabel('Choose a folder of classes').setInputFiles(photos);
    await page.getByText('Left out, no image: photos/notes.txt').waitFor();
    // A trouser and a dress come to the bags.
    await drop(page, 'Bag', [
      ['wrong-1.png', join(photos, 'Trouser')],
      ['wrong-2.png', join(photos, 'Dress')],
    ]);
    await page
      .getByText(/^The same image in two classes:/)
      .first()
      .waitFor();
    expect(await page.getByText(/^The same image in two classes:/).count()).toBe(2);
    await page.getByRole('button', { name: 'Train on 122 images of 6 classes' }).click();
    const learnt = page.getByRole('region', { name: 'What it learnt' });
    const wrong = learnt.getByRole('list', { name: 'The label looks wrong' });
    await wrong.getByText('Bag; looks like Trouser').waitFor();
    await learnt.getByRole('button', { name: 'Move to Trouser: wrong-1.png' }).click();
    await learnt.getByText('Classes or images have changed since: train again.').waitFor();
    await learnt.getByRole('button', { name: 'Remove wrong-2.png, mistaken for Dress' }).click();
    await page.getByRole('button', { name: 'Keep one of each' }).click();
    await page.getByRole('button', { name: 'Train on 120 images of 6 classes' }).click();
    await learnt.getByText('train again').waitFor({ state: 'detached' });
    const error = Number.parseFloat((await learnt.getByRole('status').first().textContent()) as string);
    expect(error).toBeLessThan(5);
    const matrix = learnt.getByRole('region', { name: 'Confusion matrix' });
    expect(await matrix.getByRole('rowheader').allTextContents()).toEqual(kinds.toSorted());
    await page.getByLabel('Choose an image').setInputFiles(unseen);
    const bars = page.getByRole('list', { name: 'Probabilities of the classes' }).getByRole('listitem');
    await bars.first().waitFor();
    const [best, probability] = await bars.first().locator('span').allTextContents();
    expect(best).toBe('Bag');
    const download = page.waitForEvent('download');
    await page.getByLabel('Name', { exact: true }).fill('my things');
    await page.getByRole('button', { name: 'Save my-things.onnx' }).click();
    const file = await download;
    expect(file.suggestedFilename()).toBe('my-things.onnx');
    const saved = join(folder, 'my-things.onnx');
    await file.saveAs(saved);
    const classifier = await loadClassifier(saved);
    const [top] = await classifier.classify(unseen);
    await classifier.close();
    expect(top?.label).toBe('Bag');
    expect(Math.abs((top?.probability ?? 0) - Number.parseFloat(probability as string) / 100)).toBeLessThan(
      2e-3,
    );
    await page.getByLabel('Code for TypeScript').getByText("loadClassifier('my-things.onnx')").waitFor();
    await page.context().close();
  });

  it('fits a phone in the dark, and is used with the keyboard alone, with the camera and what it cannot decode', async () => {
    const page = await opened.page('#/teach', {
      viewport: { width: 390, height: 844 },
      colorScheme: 'dark',
    });
    const choose = async (name: string, files: string | string[]) => {
      const chooser = page.waitForEvent('filechooser');
      await page.getByLabel(name).first().focus();
      await page.keyboard.press('Enter');
      await (await chooser).setFiles(files);
    };
    const press = async (name: string | RegExp) => {
      await page.getByRole('button', { name }).first().focus();
      await page.keyboard.press('Enter');
    };
    await choose('From this device', model);
    const names = page.getByLabel('Name of the class');
    await names.first().focus();
    await page.keyboard.press('Control+A');
    await page.keyboard.type('camera');
    await press('Camera: photograph camera');
    await page.getByRole('button', { name: 'Take one' }).focus();
    await expect.poll(() => page.getByRole('button', { name: 'Take one' }).isEnabled()).toBe(true);
    await press('Take one');
    await press('Take 10');
    await page.getByText('11 images', { exact: true }).waitFor();
    await press('Close the camera');
    const torn = join(folder, 'torn.jpg');
    await writeFile(torn, 'no JPEG');
    const bags = await pathsIn(join(photos, 'Bag'));
    await choose('Add images to Class 2', [...bags.slice(0, 8), torn]);
    await page.getByText(/torn\.jpg \(the image \(image\/jpeg\) cannot be decoded/).waitFor();
    await press('Remove it');
    await press('Undo: bring back 1 image');
    await press('Remove it');
    await press('Train on 19 images of 2 classes');
    await page.getByRole('heading', { name: 'What it learnt' }).waitFor();
    await press('Watch through the camera');
    const bars = page.getByRole('list', { name: 'Probabilities of the classes' }).getByRole('listitem');
    await bars.first().waitFor();
    expect(await bars.first().locator('span').first().textContent()).toBe('camera');
    expect(await overflow(page)).toBe(0);
    await press('Close the camera');
    // Another model sees everything anew; an image is none.
    await choose('From this device', unseen);
    await page.getByText(/unseen\.png: this is a PNG image, not a model/).waitFor();
    await page.context().close();
  });

  it('logs no errors', () => {
    expect(opened.complaints).toEqual([]);
  });

  async function pathsIn(inside: string): Promise<string[]> {
    return (await readdir(inside)).map((name) => join(inside, name));
  }

  /** Drops the first image of each folder on a class, under another name. */
  async function drop(page: Page, name: string, from: readonly (readonly [string, string])[]): Promise<void> {
    const files = await Promise.all(
      from.map(async ([as, inside]) => {
        const copy = join(folder, as);
        await copyFile((await pathsIn(inside))[0] as string, copy);
        return { as, base64: (await readFile(copy)).toString('base64') };
      }),
    );
    // As text: this package is compiled without a browser's types.
    const dropped = await page.evaluateHandle(`(() => {
      const data = new DataTransfer();
      for (const { as, base64 } of ${JSON.stringify(files)})
        data.items.add(
          new File([Uint8Array.from(atob(base64), (each) => each.charCodeAt(0))], as, { type: 'image/png' }),
        );
      return data;
    })()`);
    const card = page.locator('.taught', { has: page.getByLabel(`Add images to ${name}`) });
    await card.dispatchEvent('drop', { dataTransfer: dropped });
  }
});

const writePng = async (data: Dataset, index: number, path: string): Promise<void> =>
  writeFile(path, await encodePng(await data.image(index)));

function lastOf(data: Dataset, kind: string): number {
  for (let index = data.length - 1; ; index--) if (data.classes[data.label(index)] === kind) return index;
}
