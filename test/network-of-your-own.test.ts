/** The example of a custom network, also on the command line. Runs the built command, so it needs a build. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { network, trainAndExport } from '../examples/a-network-of-your-own.ts';
import { loadClassifier } from '../src/classifier/classifier.ts';
import { encodePng } from '../src/data/decode.ts';
import { openData } from '../src/data/open-data.ts';

const root = mkdtempSync(join(tmpdir(), 'inception-custom-network-'));
afterAll(() => rmSync(root, { recursive: true }));

const command = fileURLToPath(new URL('../bin/inception', import.meta.url));

function inception(...args: string[]) {
  const env = { ...process.env, NO_COLOR: '1' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
    cwd: root,
    encoding: 'utf8',
    env,
  });
  return { status, stdout, stderr };
}

/** A module with a network as plain data, without the package. */
const moduleText = (exported: string) => `const network = ${JSON.stringify(network)};\n${exported}\n`;

describe('NETWORK on the command line', () => {
  it.each([
    ['mine.mjs', moduleText('export default network;')],
    ['named.mjs', moduleText('export const other = 1;\nexport { network };')],
    ['mine.json', JSON.stringify(network)],
  ])('can be the file %s', (name, text) => {
    writeFileSync(join(root, name), text);
    const { status, stdout } = inception('summary', name, '--blocks', '1,2,', '--json');
    expect(status).toBe(0);
    const { layers, ...summary } = JSON.parse(stdout) as Record<string, unknown> & {
      layers: { what: string }[];
    };
    expect(summary).toMatchObject({ network: 'a-network-of-your-own', outputShape: [10] });
    const grouped = layers.map(({ what }) => what).filter((what) => /depthwise|groups/.test(what));
    expect(grouped).toEqual(['depthwise 5×5', 'conv 3×3 in 4 groups', 'conv 3×3 in 4 groups']);
  });

  it.each([
    [
      'none.mjs',
      'export const answer = 42;',
      'none.mjs: expected one network, as the default export; received none; exports: answer',
    ],
    ['broken.mjs', 'export default {', 'broken.mjs: cannot be loaded (Unexpected end of input)'],
    [
      'wrong.json',
      JSON.stringify({
        ...network,
        layers: { ...network.layers, stem: { kind: 'conv', window: '3', filters: 8 } },
      }),
      "wrong.json: layers.stem.window: a window is written as '3x3' or '1x7'; received '3'",
    ],
  ])('is refused if %s has no network', (name, text, message) => {
    writeFileSync(join(root, name), text);
    expect(inception('summary', name)).toEqual({ status: 2, stdout: '', stderr: `inception: ${message}\n` });
  });
});

describe('a custom network', () => {
  it('is trained and exported by the example, and opens in a process that has not registered it', async () => {
    const out = join(root, 'run');
    const file = await trainAndExport({
      data: 'fashion-mnist',
      out,
      options: { inputSize: 32 },
      recipe: { name: 'small-data', epochs: 1, batch: 16 },
      validation: 0,
      limitTrain: 64,
      limitTest: 32,
    });
    const dataset = await openData('fashion-mnist', 'test');
    const image = join(root, 'image.png');
    writeFileSync(image, await encodePng(await dataset.image(0)));
    const classifier = await loadClassifier(file);
    const [expected] = await classifier.classify(image, { top: 1 });
    await classifier.close();
    // A separate process, without the registration.
    for (const model of [out, file, join(out, 'model.safetensors')]) {
      const { status, stdout, stderr } = inception(
        'classify',
        image,
        '--model',
        model,
        '--top',
        '1',
        '--json',
      );
      expect({ status, stderr: status === 0 ? '' : stderr }, model).toEqual({ status: 0, stderr: '' });
      expect(stdout, model).toContain(`"${expected?.label}"`);
    }
    const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')) as { figure: unknown };
    expect(config.figure).toEqual(JSON.parse(JSON.stringify(network)));
    const resumed = inception('train', '--resume', '--out', out);
    expect(resumed.status, resumed.stderr).toBe(0);
  });
});
