/** What of a training's end and of its repairs is in the event file, with a recorder that writes nothing else. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { evaluationLine, sampleConfiguration, writeSampleRun } from '../../../test/sample-run.ts';
import type { Recorder } from '../run/recorder.ts';
import { RunFolder } from '../run/run-folder.ts';
import { recordEvents } from './record-events.ts';

let folder: RunFolder;
beforeEach(async () => {
  folder = new RunFolder(await mkdtemp(join(tmpdir(), 'inception-record-events-')));
  await writeSampleRun(folder.path);
});
afterEach(() => rm(folder.path, { recursive: true }));

/** The bytes of the event file of a process that ends at once. */
async function eventsAfter(at: { readonly isFinished: boolean }): Promise<string> {
  const silent = { finish: async () => undefined } as Partial<Recorder> as Recorder;
  await recordEvents(silent, { folder, configuration: sampleConfiguration }).finish(at);
  const [name = ''] = (await readdir(folder.path)).filter((file) => file.includes('tfevents'));
  return (await readFile(folder.file(name))).toString('latin1');
}

it('a training that was stopped is not recorded as one that has succeeded', async () => {
  expect(await eventsAfter({ isFinished: false })).not.toContain('session_end_info');
  expect(await eventsAfter({ isFinished: true })).toContain('session_end_info');
});

it('an evaluation whose line was written again is there once', async () => {
  await folder.append({ ...evaluationLine(20), chosen: true });
  expect((await eventsAfter({ isFinished: false })).split('evaluation/top1Error')).toHaveLength(2);
});
