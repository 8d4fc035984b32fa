/** The Networks page in a real browser: zooming into figures, options, two networks side by side. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browserPath, type Opened, openDashboard, overflow } from './harness.ts';

describe.skipIf(browserPath === undefined)('the page Networks', () => {
  let opened: Opened;
  beforeAll(async () => {
    opened = await openDashboard({ runs: 'there is no such folder' });
  });
  afterAll(() => opened?.close());

  it('shows a whole network and opens a block, a branch and a layer', async () => {
    const page = await opened.page('#/networks?network=inception-v4');
    const costs = page.getByLabel('Costs of inception-v4');
    await costs.getByText('42,679,816').waitFor();
    await page.getByRole('link', { name: 'Open 4 × Inception-A 35×35×384' }).click();
    await page.getByText('35×35×384 → 35×35×384').waitFor();
    await page.getByRole('navigation', { name: 'Blocks of this stage' }).getByText('2').click();
    await page.getByLabel('Location in inception-v4').getByText('Inception-A, block 2').waitFor();
    // The numbers in the figure, with derived costs.
    await page.getByRole('link', { name: 'Open 1×1 Conv 64 35×35×64 24.7 k · 30.1 M' }).first().waitFor();
    await page.getByRole('link', { name: 'Open branch 2' }).getByText('branch 2').click();
    await page.getByText('35×35×384 → 35×35×96').waitFor();
    await page.getByRole('link', { name: 'conv 3×3' }).first().click();
    await page.getByText('inceptionA/2/branch2/conv2/weight').waitFor();
    await page.getByText('96×64×3×3').waitFor();
    // The browser's back button goes one level up.
    await page.goBack();
    await page.getByText('35×35×384 → 35×35×96').waitFor();
    await page.context().close();
  });

  it('updates the costs with every option, and reports invalid ones', async () => {
    const page = await opened.page('#/networks?network=inception-v4');
    const costs = page.getByLabel('Costs of inception-v4');
    await page.getByLabel('Classes').fill('10');
    await costs.getByText('96% of the original').waitFor();
    await page.getByLabel('Auxiliary classifier').check();
    await page.getByRole('link', { name: 'Open Auxiliary' }).waitFor();
    await page.getByLabel('Input size').fill('40');
    await page
      .getByRole('alert')
      .getByText(/needs an input of at least 75×75 pixels, received 40×40/)
      .waitFor();
    await page.getByRole('button', { name: 'Reset' }).click();
    await costs.getByText('42,679,816').waitFor();
    expect(page.url()).not.toContain('classes');
    await page.context().close();
  });

  it('draws with the input at the bottom, as printed, and gives figures away in three formats', async () => {
    const page = await opened.page('#/networks?network=inception-v4&at=inceptionA/0');
    const drawing = page.locator('svg').filter({ hasText: 'input at the' }).first();
    const rows = () =>
      drawing
        .locator('rect.box')
        .evaluateAll((boxes) =>
          boxes.map((each) => Number(each.getAttribute('y')) + Number(each.getAttribute('height')) / 2),
        );
    const down = await rows();
    await page.getByLabel('Input at the bottom, as printed').check();
    await drawing.getByText('output at the top, input at the bottom').waitFor({ state: 'attached' });
    expect(page.url()).toContain('direction=up');
    const up = await rows();
    // Each box is as far from the bottom as it was from the top.
    const sums = up.map((y, at) => y + (down[at] as number));
    expect(Math.max(...sums) - Math.min(...sums)).toBeLessThan(1e-6);
    for (const [format, signature] of Object.entries({ SVG: '<svg', PNG: '\x89PNG', PDF: '%PDF' })) {
      const download = page.waitForEvent('download');
      await page.getByRole('button', { name: format, exact: true }).click();
      const file = await download;
      expect(file.suggestedFilename()).toBe(`inception-v4-inceptionA.${format.toLowerCase()}`);
      const bytes = readFileSync(await file.path());
      expect(bytes.toString('latin1', 0, signature.length)).toBe(signature);
    }
    await page.context().close();
  });

  it('keeps its state in the URL', async () => {
    const page = await opened.page('#/networks?network=inception-v4&blocks=1,2,1&width=0.5&classes=10');
    expect(await page.getByLabel('Classes').inputValue()).toBe('10');
    await page.getByRole('link', { name: /^2 × Inception-B/ }).waitFor();
    await page.context().close();
  });

  it('shows the receptive field of the box that one points at or moves to', async () => {
    const page = await opened.page('#/networks?network=inception-v4');
    const field = page.getByRole('region', { name: 'Receptive field' });
    await field.getByText('55×55 pixels').waitFor();
    await page.getByRole('link', { name: /^Open Reduction-A/ }).hover();
    await field.getByText('215×215 pixels').waitFor();
    await field.getByText('depends on rows 42–256 and columns 42–256').waitFor();
    await page.getByRole('link', { name: /^Open 3 × Inception-C/ }).focus();
    await field.getByText('2071×2071 pixels').waitFor();
    await page.getByRole('link', { name: /^Open Stem/ }).focus();
    await field.getByLabel('Row').press('Home');
    await field.getByText('Unit 0,17 of 35×35 depends on rows 0–40').waitFor();
    await page.context().close();
  });

  it('says what an address names that is not here', async () => {
    const page = await opened.page('#/networks?network=inception-v9');
    await page.getByRole('alert').getByText("names a network that is not here: 'inception-v9'").waitFor();
    await page.goto(`${opened.address}/#/netwroks?network=inception-v4&at=inceptionD`);
    await page.getByRole('alert').getByText("names a page that is not here: 'netwroks'").waitFor();
    await page.getByRole('alert').getByText("inception-v4 has no part 'inceptionD'").waitFor();
    await page.context().close();
  });

  it('shows Inception-ResNet-v2 as drawn and as released side by side, with the differences', async () => {
    const page = await opened.page('#/networks');
    await page.getByLabel('Compare two networks').check();
    await page.getByLabel('Costs of inception-resnet-v2', { exact: true }).getByText('32,433,928').waitFor();
    await page.getByLabel('Costs of inception-resnet-v2-released').getByText('55,843,464').waitFor();
    const table = page.getByLabel('Table of differences');
    await table.getByRole('link', { name: 'inceptionResnetC/9' }).click();
    await page
      .getByRole('region', { name: 'Second network' })
      .getByText('Inception-ResNet-C, block 9', { exact: true })
      .waitFor();
    await page.context().close();
  });

  it('works with the keyboard alone', async () => {
    const page = await opened.page('#/networks?network=inception-v3');
    await page.getByLabel('Costs of inception-v3').waitFor();
    await page.keyboard.press('Tab');
    expect(await page.locator(':focus').textContent()).toBe('Skip to content');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.tagName')).toBe('MAIN');
    for (let count = 0; count < 60; count++) {
      await page.keyboard.press('Tab');
      if (/^Open Stem/.test(String(await page.evaluate("document.activeElement.getAttribute('aria-label')"))))
        break;
    }
    await page.keyboard.press('Enter');
    await page.waitForURL(/at=stem/);
    await page.getByText('299×299×3 → 35×35×192').waitFor();
    await page.context().close();
  });

  it('follows the system colour scheme until the reader chooses one', async () => {
    const page = await opened.page('#/networks', { colorScheme: 'dark' });
    const paper = () => page.evaluate('getComputedStyle(document.documentElement).backgroundColor');
    await page.getByRole('heading', { name: 'Networks' }).waitFor();
    expect(await paper()).toBe('rgb(16, 20, 24)');
    await page.getByRole('button', { name: 'Use light colours' }).click();
    expect(await paper()).toBe('rgb(246, 247, 249)');
    await page.reload();
    await page.getByRole('button', { name: 'Use dark colours' }).waitFor();
    await page.context().close();
  });

  it('fits a phone at every level', async () => {
    const page = await opened.page('#/networks?network=inception-v4&compare=yes', {
      viewport: { width: 360, height: 740 },
    });
    await page.getByLabel('Table of differences').waitFor();
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    await page.goto(`${opened.address}/#/networks?network=inception-v4&at=inceptionC/0/branch2/conv1`);
    await page.getByText('Tensors of this layer').waitFor();
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    await page.context().close();
  });

  it('logs no errors', () => {
    expect(opened.complaints).toEqual([]);
  });
});
