/** What a training says of the images that its event file lacks. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { Configuration } from '../configuration/configuration.ts';
import type { Recorder } from '../run/recorder.ts';
import { RunFolder } from '../run/run-folder.ts';
import { recordEvents } from './record-events.ts';

const root = mkdtempSync(join(tmpdir(), 'inception-record-events-'));
afterAll(() => rmSync(root, { recursive: true }));

const finish: Pick<Recorder, 'finish'> = { finish: async () => undefined };

it.each([
  [256, []],
  [
    257,
    [
      "TensorBoard's images of this run have no confusion matrix: it has 257 classes, and more than 256 cannot be told apart; evaluation.json has it",
    ],
  ],
])(
  'a run of %d classes says once that it has no image of its confusion, where it has none',
  async (count, said) => {
    const classes = Array.from({ length: count }, (_, index) => `class ${index}`);
    const configuration = { classes, options: {}, recipe: {} } as unknown as Configuration;
    const warnings: string[] = [];
    const folder = new RunFolder(mkdtempSync(join(root, 'run-')));
    const recorder = recordEvents(finish as Recorder, {
      ...{ folder, configuration },
      onWarning: (line) => warnings.push(line),
    });
    for (let end = 0; end < 2; end++)
      await recorder.finish({ isFinished: true } as Parameters<Recorder['finish']>[0]);
    expect(warnings).toEqual(said);
  },
);
