import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PredictionRow, WriterOptions } from './prediction-rows.ts';
import { openPredictionWriter } from './prediction-writer.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'predictions-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const classes = ['cat', 'crane', 'crane'];
const options: WriterOptions = { description: { model: 'runs/a' }, classes, top: 2, resume: false };
const row = (file: string): PredictionRow => ({
  file,
  labels: [
    { label: 'crane', index: 2, probability: 0.75 },
    { label: 'cat', index: 0, probability: 0.25 },
  ],
});

async function write(path: string, files: readonly string[], changes: Partial<WriterOptions> = {}) {
  const writer = await openPredictionWriter(path, { ...options, ...changes });
  for (const file of files) writer.add(row(file));
  await writer.close({ complete: true });
  return [...writer.known];
}

const csvOf = (...files: readonly string[]) =>
  [
    'file,label,probability,label_2,probability_2',
    ...files.map((file) => `${file},crane (output 2),0.75,cat,0.25`),
    '',
  ].join('\n');

describe('a file of predictions', () => {
  it('is CSV with a label and a probability for each rank', async () => {
    const path = join(folder, 'p.csv');
    await write(path, ['a.jpg', '"b", c.jpg']);
    expect(readFileSync(path, 'utf8')).toBe(csvOf('a.jpg', '"""b"", c.jpg"'));
    expect(JSON.parse(readFileSync(`${path}.json`, 'utf8'))).toEqual({ model: 'runs/a', top: 2 });
  });

  it('is JSON lines with the ranks as a list', async () => {
    const path = join(folder, 'p.jsonl');
    await write(path, ['a.jpg']);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
      file: 'a.jpg',
      label: 'crane (output 2)',
      probability: 0.75,
      top: [
        { label: 'crane (output 2)', index: 2, probability: 0.75 },
        { label: 'cat', index: 0, probability: 0.25 },
      ],
    });
  });

  it('is Parquet that hyparquet reads', async () => {
    const path = join(folder, 'p.parquet');
    await write(path, ['a.jpg', 'b.jpg']);
    expect(await parquetReadObjects({ file: await asyncBufferFromFile(path) })).toEqual(
      ['a.jpg', 'b.jpg'].map((file) => ({
        file,
        label: 'crane (output 2)',
        probability: 0.75,
        label_2: 'cat',
        probability_2: 0.25,
      })),
    );
  });

  it('leaves nothing of a Parquet file that is not complete', async () => {
    const path = join(folder, 'p.parquet');
    const writer = await openPredictionWriter(path, options);
    writer.add(row('a.jpg'));
    await writer.close({ complete: false });
    expect(existsSync(path) || existsSync(`${path}.incomplete`)).toBe(false);
  });

  it.each(['p.csv', 'p.jsonl'])(
    '%s keeps the rows that are there, and repairs a cut last line',
    async (name) => {
      const [path, whole] = [join(folder, name), join(folder, `whole-${name}`)];
      await write(whole, ['a.jpg', 'b.jpg', 'c.jpg']);
      await write(path, ['a.jpg', 'b.jpg']);
      appendFileSync(path, name.endsWith('.csv') ? 'c.jpg,crane (out' : '{"file":"c.jpg","la');
      expect(await write(path, ['c.jpg'], { resume: true })).toEqual(['a.jpg', 'b.jpg']);
      expect(readFileSync(path, 'utf8')).toBe(readFileSync(whole, 'utf8'));
    },
  );

  it.each(['p.csv', 'p.jsonl'])('%s is continued where its first line was cut', async (name) => {
    const path = join(folder, name);
    await write(path, []);
    writeFileSync(path, 'fi');
    expect(await write(path, ['a.jpg'], { resume: true })).toEqual([]);
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(name.endsWith('.csv') ? 3 : 2);
  });

  it('that exists is refused without resume', async () => {
    const path = join(folder, 'p.csv');
    await write(path, []);
    await expect(write(path, [])).rejects.toThrow(
      `${path} exists; --resume continues it, another name or its removal starts anew`,
    );
  });

  it('is not continued with another model', async () => {
    const path = join(folder, 'p.csv');
    await write(path, []);
    await expect(write(path, [], { resume: true, description: { model: 'runs/b' } })).rejects.toThrow(
      `${path}: its rows are of another model or other options (see ${path}.json); choose another file, or remove it to start over`,
    );
  });

  it.each([
    ['p.csv', 'a.jpg,cat\n', 'row 1 is not a row of predictions; choose another file'],
    ['p.jsonl', '{"file":1}\n', 'line 1 is not a row of predictions; choose another file'],
  ])('%s with other rows is refused', async (name, line, message) => {
    const path = join(folder, name);
    await write(path, []);
    appendFileSync(path, line);
    await expect(write(path, [], { resume: true })).rejects.toThrow(`${path}: ${message}`);
  });

  it('says which endings there are, and that Parquet is not continued', async () => {
    await expect(write(join(folder, 'p.xlsx'), [])).rejects.toThrow(
      `output: expected a file that ends in .csv, .jsonl, .parquet, received '${folder}/p.xlsx'`,
    );
    await expect(write(join(folder, 'p.parquet'), [], { resume: true })).rejects.toThrow(
      `resume: ${folder}/p.parquet is written as a whole, in columns, and cannot be continued; expected .csv or .jsonl`,
    );
  });
});
