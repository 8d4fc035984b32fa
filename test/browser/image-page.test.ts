/** The page of `inception serve` in a real browser. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { colourModel, imageFile } from '../server-models.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import { browserPath, type Opened, openBrowser } from './harness.ts';

const two = [colourModel(), colourModel({ name: 'other' })];

describe.skipIf(browserPath === undefined)('GET / of the server', () => {
  let [server, opened]: [TestServer?, Opened?] = [];
  beforeAll(async () => {
    server = await startTestServer(two, { token: 'secret' });
    opened = await openBrowser(server.address, server.drain);
  });
  afterAll(() => opened?.close());

  it('classifies an image that is chosen, with the token and the model that are given', async () => {
    const page = await (opened as Opened).page('');
    const chosen = { name: 'green.png', mimeType: 'image/png', buffer: await imageFile('green') };
    await page.getByLabel('Choose an image').setInputFiles(chosen);
    await page.getByRole('status').getByText("expected the header 'Authorization: Bearer …'").waitFor();
    await page.getByLabel('Token').fill('secret');
    await page.getByLabel('Token').blur();
    const labels = page.getByRole('listitem');
    await labels.first().waitFor();
    expect(await labels.allInnerTexts()).toEqual(['green\n100.0%', 'red\n0.0%', 'blue\n0.0%']);
    await page.getByLabel('Model').selectOption('other');
    await expect.poll(() => two[1]?.batches).toEqual([1]);
    await page.getByRole('status').getByText('ms, sending').waitFor();
    await page.getByLabel('Choose an image').setInputFiles({ ...chosen, buffer: Buffer.from('no image') });
    await page.getByRole('status').getByText('cannot be decoded').waitFor();
    expect(await labels.count()).toBe(0);
    await page.context().close();
    // The browser logs the two refusals itself, and the list of models before the token was there.
    expect((opened as Opened).complaints.filter((each) => !/status of 40[01]/.test(each))).toEqual([]);
  });
});
