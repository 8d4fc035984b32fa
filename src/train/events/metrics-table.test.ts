/** Tables of metrics; quotes as in RFC 4180. */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { exportMetrics, type MetricsFormat, metricsFormat } from './metrics-table.ts';

const root = mkdtempSync(join(tmpdir(), 'inception-table-'));
afterAll(() => rmSync(root, { recursive: true }));

function run(name: string, lines: readonly object[]): string {
  const folder = join(root, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'metrics.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  writeFileSync(join(folder, 'config.json'), '{}');
  return folder;
}

const warnings: string[] = [];
const tableOf = (runs: readonly string[], format: MetricsFormat) =>
  exportMetrics(runs, { format, onWarning: (message) => warnings.push(message) });

const lines = [
  { kind: 'train', step: 5, epoch: 0.5, loss: 1.25, remark: 'zeros, "many"' },
  {
    kind: 'evaluation',
    step: 10,
    epoch: 1,
    validationLoss: 1.5,
    blocks: [{ block: 'a/0', zeroShare: 0.25 }],
  },
];

it('a table has a row for each line and a column for each name', async () => {
  const one = run('one', lines);
  expect(await tableOf([one], 'csv')).toBe(
    [
      'kind,step,epoch,loss,remark,validationLoss,blocks/a/0/zeroShare',
      'train,5,0.5,1.25,"zeros, ""many""",,',
      'evaluation,10,1,,,1.5,0.25',
      '',
    ].join('\n'),
  );
  const two = run('two', lines.slice(0, 1));
  const rows = (await tableOf([one, two], 'jsonl'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(rows.map((row) => [row.run, row.kind])).toEqual([
    [one, 'train'],
    [one, 'evaluation'],
    [two, 'train'],
  ]);
  expect(JSON.parse(await tableOf([two], 'json'))).toEqual(lines.slice(0, 1));
});

it('a folder that is no run, a run without metrics and another ending are refused', async () => {
  const empty = run('empty', []);
  await expect(tableOf([empty], 'csv')).rejects.toThrow(
    `${empty}: has no metrics yet; expected a run that has made some steps`,
  );
  await expect(tableOf([root], 'csv')).rejects.toThrow(`${root} is not a run: it has no config.json`);
  expect(() => metricsFormat('metrics.xlsx')).toThrow(
    'metrics.xlsx: expected a file name ending in .csv, .json, .jsonl',
  );
});

it('a run is refused that is named twice, by whatever path', async () => {
  const again = run('again', lines);
  await expect(tableOf([again, `${again}/`], 'csv')).rejects.toThrow(
    `${again}/: is named twice; expected each run once`,
  );
});

it('lines that are no metrics are left out and counted, but for one that is being written', async () => {
  const torn = run('torn', lines);
  appendFileSync(join(torn, 'metrics.jsonl'), 'what\n{}\n{"kind":"tr');
  expect(JSON.parse(await tableOf([torn], 'json'))).toHaveLength(2);
  expect(warnings).toEqual([`${join(torn, 'metrics.jsonl')}: 2 lines that are no metrics are left out`]);
});
