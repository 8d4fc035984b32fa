import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sampleModel } from '../../../test/sample-model.ts';
import { sampleConfiguration, writeSampleRun } from '../../../test/sample-run.ts';
import { timm } from '../../ecosystems/timm.ts';
import { classScores } from '../../evaluate/class-scores.ts';
import type { Configuration } from '../configuration/configuration.ts';
import { RunFolder } from '../run/run-folder.ts';
import { cell, yaml } from './card-text.ts';
import { modelCard, publicName } from './model-card.ts';
import { isUntouched, writeCard, writeRunCard } from './write-card.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inception-card-'));
});
afterEach(() => rm(folder, { recursive: true }));

const part = (images: number, perClass: readonly [number, number]) => ({
  images,
  perClass: [
    ['cat', perClass[0]],
    ['dog', perClass[1]],
  ],
  leftOut: [{ what: '.bmp files', count: 2, examples: ['cat/a.bmp', 'cat/b.bmp'] }],
  decisions: [],
});

/** As a training leaves it: an evaluation on the validation images, then a test. */
async function writeRun(path: string): Promise<RunFolder> {
  await writeSampleRun(path);
  const run = new RunFolder(path);
  const scored = { step: 20, epoch: 2, top5Error: 0, elapsedSeconds: 20 };
  const lines = [
    { kind: 'evaluation', ...scored, validationLoss: 0.05, top1Error: 0.5, balancedAccuracy: 0.4 },
    { kind: 'test', ...scored, testLoss: 0.06, top1Error: 0.25, balancedAccuracy: 0.7, skipped: 1 },
  ];
  await writeFile(run.file('metrics.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const record = JSON.parse(await readFile(run.file('evaluation.json'), 'utf8'));
  const scores = classScores([
    [0, 0, 3],
    [1, 0, 1],
    [1, 1, 1],
  ]);
  await writeFile(run.file('evaluation.json'), JSON.stringify({ ...record, ...scores }));
  const data = { format: 1, train: part(40, [30, 10]), validation: part(8, [6, 2]), test: part(6, [3, 3]) };
  await writeFile(run.file('data.json'), JSON.stringify({ ...data, skipped: [{ file: 'x', reason: 'y' }] }));
  return run;
}

const front = (card: string): string[] => (card.split('---\n')[1] ?? '').trimEnd().split('\n');

describe('the card of a run', () => {
  it('has its records: figures with protocol, counts, recipe, versions', async () => {
    const run = await writeRun(join(folder, 'photos'));
    expect(await writeRunCard(run.path)).toBe(run.file('README.md'));
    const card = await readFile(run.file('README.md'), 'utf8');
    expect(front(card).slice(0, 6)).toEqual([
      'tags:',
      '- image-classification',
      '- inception-networks',
      'library_name: inception-networks',
      'pipeline_tag: image-classification',
      'license: unknown',
    ]);
    expect(front(card).join('\n')).toContain(
      '      split: test\n    metrics:\n    - type: accuracy\n      value: 0.75',
    );
    for (const line of [
      '# Model card for photos',
      '`inception-v4` that tells 2 classes of images apart.',
      '- **Classes (2):** cat, dog',
      '- **Weights it started from:** random ones',
      '| validation | 8 | 50.00% | 50.00% | 40.00% | 0.0500 | 2 |',
      '| test | 5 | 75.00% | 25.00% | 70.00% | 0.0600 | 2 |',
      'Protocol: single crop, central 87.5%, stretched to 299×299 (bilinear, half-pixel centres), values in [−1, 1]. The training ended after 2 of 160 epochs. 1 images could not be used and do not count.',
      '`photos`: 40 training images, 8 validation images, 6 test images.',
      '| class | training | validation | test | precision (test) | recall (test) | F1 (test) |',
      '| cat | 30 | 6 | 3 | 0.750 | 1.000 | 0.857 |',
      '- Training: left out 2 .bmp files (cat/a.bmp, cat/b.bmp).',
      '- **Versions:** inception-networks 0.1.0, libtorch 1.13.1, Node.js 20.19.0',
      "const classifier = await loadClassifier('.');",
    ])
      expect(card.split('\n')).toContain(line);
  });

  it('gives the scores of classes to the images that they are of', async () => {
    const run = await writeRun(join(folder, 'photos'));
    const record = JSON.parse(await readFile(run.file('evaluation.json'), 'utf8'));
    await writeFile(run.file('evaluation.json'), JSON.stringify({ ...record, split: 'validation' }));
    await writeRunCard(run.path);
    const card = (await readFile(run.file('README.md'), 'utf8')).split('\n');
    // The record has five images.
    expect(card).toContain('| validation | 5 | 50.00% | 50.00% | 40.00% | 0.0500 | 2 |');
    expect(card).toContain('| test | 5 | 75.00% | 25.00% | 70.00% | 0.0600 | 2 |');
    expect(card).toContain(
      '| class | training | validation | test | precision (validation) | recall (validation) | F1 (validation) |',
    );
  });

  it('says what it started from, without the paths of the machine', async () => {
    const run = new RunFolder(join(folder, 'run'));
    const weights: NonNullable<Configuration['weights']> = {
      auxiliary: 'none',
      source: '/home/me/secret/base.safetensors',
      ...{
        sha256: 'ab12',
        kept: ['cat'],
        reinitialised: ['dog'],
        changed: [],
        decisions: [],
      },
    };
    await run.create({ ...sampleConfiguration, data: '/home/me/secret/photos', weights });
    await writeRunCard(run.path);
    const card = await readFile(run.file('README.md'), 'utf8');
    expect(card).toContain(
      '- **Weights it started from:** `base.safetensors` (SHA-256 of the values `ab12`); 1 classes kept, 1 new',
    );
    expect(card).toContain('Trained on `photos`; no counts are recorded.');
    expect(card).toContain('The model was not evaluated.');
    expect(card).not.toContain('secret');
  });

  it('is written again, but not over one that a person has edited', async () => {
    const run = await writeRun(join(folder, 'photos'));
    await writeRunCard(run.path);
    expect(await writeRunCard(run.path)).toBe(run.file('README.md'));
    const edited = (await readFile(run.file('README.md'), 'utf8')).replace('cat', 'my cat');
    expect(isUntouched(edited)).toBe(false);
    await writeFile(run.file('README.md'), edited);
    expect(await writeRunCard(run.path)).toBeUndefined();
    expect(await readFile(run.file('README.md'), 'utf8')).toBe(edited);
  });
});

describe('the card of a model without a run', () => {
  const { description } = sampleModel('inception-v4', {}, { classes: ['a|b', '<script>', ...'cdefg'] });

  it('names its place on the hub, its license and timm', () => {
    const card = modelCard({
      ...{ description: { ...description, data: 'fashion-mnist', source: 'hub:timm/inception_v4.tf_in1k' } },
      ...{ library: timm.hub && { name: timm.name, ...timm.hub }, repository: 'me/photos', license: 'mit' },
    });
    expect(front(card)).toEqual([
      ...['tags:', '- image-classification', '- timm', 'library_name: timm'],
      ...['pipeline_tag: image-classification', 'license: mit', 'datasets:', '- fashion_mnist'],
    ]);
    expect(card).toContain('# Model card for photos');
    expect(card).toContain("loadClassifier('hub:me/photos')");
    expect(card).toContain("timm.create_model('hf-hub:me/photos', pretrained=True)");
    expect(card).toContain('No measurement is recorded with this model.');
    expect(card).toContain('- **Weights from:** `hub:timm/inception_v4.tf_in1k`');
    expect(card).toContain('- **Classes (7):** a\\|b, \\<script\\>, c');
  });

  it('can be written into any folder', async () => {
    const path = await writeCard(folder, { description });
    expect(isUntouched(await readFile(path as string, 'utf8'))).toBe(true);
  });
});

describe('names in a card', () => {
  it('have no effect on Markdown, YAML or a terminal', () => {
    expect(cell('# a\n| *b* `c`')).toBe('\\# a \\| \\*b\\* \\`c\\`');
    expect(yaml('apache-2.0')).toBe('apache-2.0');
    expect(['yes', 'a: b', '2.0', 'x # y'].map(yaml)).toEqual(['"yes"', '"a: b"', '"2.0"', '"x # y"']);
    expect([publicName('/home/me/photos/'), publicName('C:\\me\\photos'), publicName('hub:a/b')]).toEqual([
      ...['photos', 'photos', 'hub:a/b'],
    ]);
  });
});
