/** The event file of a run beside its metrics.jsonl. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Configuration } from '../configuration/configuration.ts';
import type { EvaluationMetrics, StepMetrics, TestMetrics } from '../run/records.ts';
import { EventFile } from './event-file.ts';
import { confusionImage } from './event-images.ts';
import { flattenMetrics } from './flatten.ts';

const root = mkdtempSync(join(tmpdir(), 'inception-events-'));
afterAll(() => rmSync(root, { recursive: true }));

const configuration = {
  ...{ network: 'inception-v4', precision: 'float32', seed: 3 },
  ...{ options: { width: 0.5, blocks: { A: 1 } }, recipe: { learningRate: 0.045, patience: null } },
} as unknown as Configuration;

const trained = (step: number): StepMetrics => ({
  ...{
    kind: 'train',
    step,
    epoch: step / 10,
    loss: 2 / step,
    trainError: 0.5,
    learningRate: 0.1,
    waitShare: 0,
  },
  ...{ gradientNorm: 1, zeroShare: 0.25, imagesPerSecond: 100, residentBytes: 1e9, elapsedSeconds: step },
});
const evaluated: EvaluationMetrics = {
  ...{ kind: 'evaluation', step: 10, epoch: 1, validationLoss: 1.5, top1Error: 0.25, top5Error: 0.125 },
  ...{ elapsedSeconds: 10, blocks: [{ block: 'inceptionResnetA/0', residualRatio: 0.5, zeroShare: 0.25 }] },
};
const tested: TestMetrics = {
  ...{ kind: 'test', step: 10, epoch: 1, testLoss: 1.75, top1Error: 0.375, top5Error: 0, elapsedSeconds: 10 },
};

/** A run that was stopped after step 10, before its test, and continued by another process. */
async function writeRun(run: string): Promise<void> {
  const confusion = [
    [0, 0, 3],
    [0, 1, 1],
    [1, 1, 4],
  ];
  writeFileSync(
    join(run, 'evaluation.json'),
    JSON.stringify({ step: 10, split: 'validation', classes: ['cat', 'dog'], confusion }),
  );
  writeFileSync(join(run, 'events.out.tfevents.1.another'), '');
  const first = await EventFile.begin(run, { configuration, metrics: [] });
  await first.scalars(trained(5));
  await first.scalars(trained(10));
  await first.scalars(trained(15));
  const second = await EventFile.begin(run, { configuration, metrics: [trained(5), trained(10), evaluated] });
  await second.scalars(tested);
  await second.end(10);
}

const read = [
  'import json, sys',
  'from tensorboard.backend.event_processing.event_accumulator import EventAccumulator',
  'from tensorboard.plugins.hparams import metadata',
  'run = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0})',
  'run.Reload()',
  'tags = run.Tags()',
  'plugin = run.PluginTagToContent("hparams")',
  'begun = metadata.parse_session_start_info_plugin_data(plugin["_hparams_/session_start_info"])',
  'print(json.dumps({',
  '  "scalars": {tag: [[e.step, e.value] for e in run.Scalars(tag)] for tag in tags["scalars"]},',
  '  "images": {tag: [[e.step, e.height, e.width] for e in run.Images(tag)] for tag in tags["images"]},',
  '  "numbers": {name: v.number_value for name, v in begun.hparams.items() if v.HasField("number_value")},',
  '  "ended": metadata.parse_session_end_info_plugin_data(plugin["_hparams_/session_end_info"]).status}))',
].join('\n');
const { status } = spawnSync('python3', ['-c', 'import tensorboard']);
const reason = status === 0 ? '' : " (skipped: this python3 has no package 'tensorboard')";

describe('the event file of a run', () => {
  it('is one, after the last of those before it, and leaves those of others alone', async () => {
    const run = mkdtempSync(join(root, 'run-'));
    await writeRun(run);
    const names = readdirSync(run).filter((name) => name.startsWith('events'));
    expect(names).toHaveLength(2);
    expect(names).toContain('events.out.tfevents.1.another');
  });

  it.skipIf(status !== 0)(`is what TensorBoard reads, each step once${reason}`, async () => {
    const run = mkdtempSync(join(root, 'run-'));
    await writeRun(run);
    rmSync(join(run, 'events.out.tfevents.1.another'));
    const { stdout, stderr } = spawnSync('python3', ['-c', read, run], { encoding: 'utf8' });
    expect(stdout, stderr).not.toBe('');
    const { scalars, images, numbers, ended } = JSON.parse(stdout);
    expect(scalars).toMatchObject({
      'train/loss': [
        [5, expect.closeTo(0.4)],
        [10, expect.closeTo(0.2)],
      ],
      'evaluation/top1Error': [[10, 0.25]],
      'evaluation/blocks/inceptionResnetA/0/residualRatio': [[10, 0.5]],
      'test/testLoss': [[10, 1.75]],
    });
    expect(images).toEqual({ confusion: [[10, 320, 320]] });
    expect(numbers).toEqual({
      seed: 3,
      'options.width': 0.5,
      'options.blocks.A': 1,
      'recipe.learningRate': 0.045,
    });
    expect(ended).toBe(1);
  });
});

describe('flattenMetrics', () => {
  it('names blocks, and leaves out what is null', () => {
    const blocks = [{ block: 'inceptionResnetA/0', residualRatio: null, zeroShare: 0.25 }];
    expect(flattenMetrics({ ...evaluated, blocks })).toMatchObject({
      kind: 'evaluation',
      'blocks/inceptionResnetA/0/zeroShare': 0.25,
    });
    expect(Object.keys(flattenMetrics({ ...evaluated, blocks }))).not.toContain(
      'blocks/inceptionResnetA/0/residualRatio',
    );
  });
});

describe('confusionImage', () => {
  it('is left out for more classes than can be seen', async () => {
    const classes = Array.from({ length: 257 }, (_, index) => `class ${index}`);
    expect(await confusionImage({ classes, confusion: [[0, 0, 1]] })).toBeUndefined();
    expect(await confusionImage({ classes: classes.slice(1), confusion: [[0, 0, 1]] })).toMatchObject({
      size: [512, 512],
    });
  });
});
