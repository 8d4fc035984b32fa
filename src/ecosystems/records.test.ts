/** Everything about an ecosystem is in its record: no other source file may test for an ecosystem's name. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findNetwork } from '../networks/networks.ts';
import { dialectNames, dialects } from './dialects.ts';

const source = new URL('../', import.meta.url);

const records = /^ecosystems\/(timm|torchvision|cadene|facenet|keras|tf-slim)\.ts$/;

/** The two crop protocols are named after the projects that use them; the bench measures torchvision's loader as a program. */
const exceptions = ['images/preprocess.ts', 'bench/data-rate.ts', 'cli/commands/bench.ts'];

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
  (file) =>
    /\.ts$/.test(file) && !/\.test\.ts$/.test(file) && !records.test(file) && !exceptions.includes(file),
);

const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`])\/\/.*$/gm, '$1');

/** Whether a line has a dialect's name as a string or key, or the name of a tensor that identifies its files. */
function namesDialect(line: string): boolean {
  const literals = [...line.matchAll(/(['"`])((?:\\.|(?!\1).)*)\1/g)].map(([, , text]) => text as string);
  const keys = [...line.matchAll(/([\w-]+)['"]?\s*:(?!:)/g)].map(([, key]) => key as string);
  const anchors = dialects.flatMap(({ networks }) =>
    Object.values(networks).flatMap((network) => network.anchors),
  );
  return [...literals, ...keys].some(
    (text) => (dialectNames as readonly string[]).includes(text) || anchors.includes(text),
  );
}

describe('the records of the ecosystems', () => {
  it.each([
    "if (dialect.name === 'timm')",
    "const preprocessings = { 'tf-slim': {} };",
    'const heads = { timm: true };',
    "file.tensors.get('classif.weight')",
  ])('would be bypassed by: %s', (line) => {
    expect(namesDialect(line)).toBe(true);
  });

  it('are the only place that names an ecosystem', () => {
    expect(files.length).toBeGreaterThan(200);
    const violations = files.flatMap((file) =>
      withoutComments(readFileSync(new URL(file, source), 'utf8'))
        .split('\n')
        .filter(namesDialect)
        .map((line) => `${file}: ${line.trim()}`),
    );
    expect(violations).toEqual([]);
  });

  it('list existing networks, each with tensors that identify its files', () => {
    for (const { networks } of dialects) {
      for (const [network, { anchors }] of Object.entries(networks)) {
        expect(findNetwork(network).name).toBe(network);
        expect(anchors.length).toBeGreaterThan(0);
      }
    }
  });

  it('match the rows of docs/weights.md', () => {
    const page = readFileSync(new URL('../docs/weights.md', source), 'utf8');
    const table = page.slice(page.indexOf('| dialect |'));
    const rows = [...table.slice(0, table.indexOf('\n\n')).matchAll(/^\| `([\w-]+)` \|/gm)].map(
      ([, name]) => name,
    );
    expect(rows.sort()).toEqual([...dialectNames].sort());
  });

  it('have unique names', () => {
    expect(new Set(dialectNames).size).toBe(dialectNames.length);
  });
});
