/** A claim from its command to its report, by trainings in processes of their own: structure and resumption, not values. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listRuns } from '../dashboard/runs.ts';
import { findClaim } from './claims/claims.ts';
import { reproduce } from './reproduce.ts';

let folder: string;
let data: string;
let out: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'inception-reproduce-'));
  [data, out] = [join(folder, 'photos'), join(folder, 'experiment')];
  for (const [name, level] of [
    ['dark', 40],
    ['light', 200],
  ] as const) {
    mkdirSync(join(data, name), { recursive: true });
    for (let index = 0; index < 20; index++) {
      const pixels = Buffer.alloc(80 * 80 * 3, level).map(
        (value, at) => value + ((at * 7 + index * 13) % 40),
      );
      const image = sharp(pixels, { raw: { width: 80, height: 80, channels: 3 } });
      await image.png().toFile(join(data, name, `${index}.png`));
    }
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const claim = findClaim('rmsprop-epsilon');

function run(signal: AbortSignal, seeds = 1) {
  const lines: string[] = [];
  const done = reproduce(claim, {
    ...{ out, scale: 'smoke', data, seeds, jobs: 2, command: 'inception reproduce', signal },
    say: (line) => lines.push(line),
  });
  return { lines, done };
}

describe('an experiment', () => {
  it('stops when it is asked to, goes on, repeats nothing, and writes its report', {
    timeout: 120_000,
  }, async () => {
    const interruption = new AbortController();
    interruption.abort();
    const interrupted = await run(interruption.signal).done;
    expect(interrupted.complete).toBe(false);
    expect(readFileSync(join(out, 'report.md'), 'utf8')).toContain(
      'Not complete: 0 of 4 trainings have ended.',
    );

    const first = run(new AbortController().signal);
    expect((await first.done).complete).toBe(true);
    expect(first.lines.filter((line) => line.startsWith('training '))).toHaveLength(4);
    const { runs, broken } = await listRuns(join(out, 'runs'));
    expect([runs.map(({ id }) => id).sort(), broken]).toEqual([
      ['momentum-0.01-seed1', 'momentum-0.1-seed1', 'rmsprop-0.01-seed1', 'rmsprop-0.1-seed1'],
      [],
    ]);

    const again = run(new AbortController().signal);
    await again.done;
    expect(again.lines.filter((line) => /^(training|continuing) /.test(line))).toEqual([]);
    const markdown = readFileSync(join(out, 'report.md'), 'utf8');
    for (const part of [
      '## Result',
      '## Arms',
      '## Steps until given errors',
      '## What was not seen',
      '## Machine',
    ])
      expect(markdown).toContain(`${part}\n`);
    expect(markdown).toContain('inception train inception-resnet-v2 ');
    expect(markdown).toContain('this may be chance');
    expect(readdirSync(join(out, 'figures'))).toEqual(['errors.svg']);
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('<svg ');
  });

  it('goes on elsewhere from what it was asked, its records and its measurements alone', async () => {
    const elsewhere = join(folder, 'elsewhere');
    for (const part of ['experiment.json', 'records'])
      cpSync(join(out, part), join(elsewhere, part), { recursive: true });
    const gone = join(folder, 'nowhere', 'photos');
    const there = reproduce(claim, {
      ...{ out: elsewhere, scale: 'smoke', data: gone, seeds: 1, command: 'inception reproduce' },
      ...{ signal: new AbortController().signal, say: () => undefined },
    });
    expect((await there).complete).toBe(true);
    expect(readdirSync(elsewhere)).not.toContain('runs');
    const written = (path: string, data: string) =>
      readFileSync(join(path, 'report.md'), 'utf8').replaceAll(path, 'OUT').replaceAll(data, 'DATA');
    expect(written(elsewhere, gone)).toBe(written(out, data));
  });

  it('is not mixed with another one in the same folder', async () => {
    const other = reproduce(findClaim('residual-scaling'), {
      ...{
        out,
        scale: 'smoke',
        data,
        command: '',
        signal: new AbortController().signal,
        say: () => undefined,
      },
    });
    await expect(other).rejects.toThrow(
      `${out}: holds an experiment with claim rmsprop-epsilon, received residual-scaling; expected the same command, or another --out`,
    );
  });
});
