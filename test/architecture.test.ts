/** Checks that imports follow the table of folders in docs/architecture.md. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

const source = new URL('../src/', import.meta.url).pathname;

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
  (file) =>
    /\.(ts|mjs)$/.test(file) &&
    !file.endsWith('.test.ts') &&
    // Scripts that run on the built package.
    !/^bench\/(?:peers|scripts)\//.test(file),
);

const page = readFileSync(new URL('../docs/architecture.md', import.meta.url), 'utf8');

/** The page's table: folders in pipeline order, each with the other folders that its files may import from. */
const allowed = readTable(page);

/** Files directly in src/ that every file may import. */
const common = readCommon(page);

function readTable(text: string): Readonly<Record<string, readonly string[]>> {
  const table: Record<string, readonly string[]> = {};
  for (const [, folder = '', cell = ''] of text.matchAll(/^\| `src\/([\w/]+)\/` \| ([^|]+) \|/gm)) {
    const above = Object.keys(table);
    table[folder] = cell === 'nothing' ? [] : cell === 'all above' ? above : cell.split(', ');
    const unknown = (table[folder] ?? []).filter((name) => !above.includes(name));
    if (unknown.length > 0)
      throw new Error(
        `docs/architecture.md: src/${folder}/ may import ${unknown.join(', ')}, which is not above it`,
      );
  }
  return table;
}

function readCommon(text: string): readonly string[] {
  const [sentence = ''] =
    /(?:`src\/[\w-]+\.ts`[,\s]*(?:and\s)?)+may be imported from everywhere/.exec(text) ?? [];
  return [...sentence.matchAll(/`src\/([^`]+)`/g)].map(([, file]) => file as string);
}

/** Files of src/ that a file imports, as paths within src/. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(source, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(([, path]) =>
    normalize(join(dirname(file), path as string)),
  );
}

/** The folder of the table that a file belongs to, the innermost one. */
function folderOf(file: string): string {
  const [first, second] = file.split('/');
  if (second === undefined) return '.';
  return `${first}/${second}` in allowed ? `${first}/${second}` : (first as string);
}

describe('docs/architecture.md', () => {
  it('has a table of folders and a list of common files', () => {
    expect(Object.keys(allowed).length).toBeGreaterThan(15);
    expect(allowed.graph).toEqual(['networks', 'int8']);
    expect(common).toContain('errors.ts');
  });

  it('lists a folder before others may import from it', () => {
    const row = (folder: string, cell: string) => `| \`src/${folder}/\` | ${cell} | a folder |`;
    expect(readTable([row('a', 'nothing'), row('b', 'a'), row('c', 'all above')].join('\n'))).toEqual({
      a: [],
      b: ['a'],
      c: ['a', 'b'],
    });
    expect(() => readTable(row('a', 'b'))).toThrow(
      'docs/architecture.md: src/a/ may import b, which is not above it',
    );
  });
});

describe('the architecture', () => {
  it('has exactly the folders of the table', () => {
    const folders = new Set(files.map(folderOf).filter((folder) => folder !== '.'));
    expect([...folders].sort()).toEqual(Object.keys(allowed).sort());
  });

  it('imports only from the folders that the table allows', () => {
    const checked = files.filter((file) => folderOf(file) !== '.');
    expect(checked.length).toBeGreaterThan(50);
    const wrong = checked.flatMap((file) =>
      importsOf(file)
        .filter(
          (target) =>
            folderOf(target) !== folderOf(file) &&
            !common.includes(target) &&
            !(allowed[folderOf(file)] ?? []).includes(folderOf(target)),
        )
        .map((target) => `${file} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('imports only files that exist', () => {
    const known = new Set(files);
    const missing = files.flatMap((file) =>
      importsOf(file).filter((target) => target.endsWith('.ts') && !known.has(target)),
    );
    expect(missing).toEqual([]);
  });

  it('has no import cycles', () => {
    const state = new Map<string, 'open' | 'done'>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (state.get(file) === 'done') return;
      if (state.get(file) === 'open') {
        cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
        return;
      }
      state.set(file, 'open');
      for (const target of importsOf(file)) visit(target, [...path, file]);
      state.set(file, 'done');
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it('derives every error class from InceptionError', () => {
    const direct = files
      // Plain JavaScript runs before there is an errors.js to import.
      .filter((file) => file !== 'errors.ts' && file.endsWith('.ts'))
      .flatMap((file) => {
        const text = readFileSync(join(source, file), 'utf8');
        const builtIn = /class\s+(\w*)\s*extends\s+(?:Aggregate|Range|Reference|Syntax|Type|URI)?Error\b/g;
        return [...text.matchAll(builtIn)].map(([, name]) => `${file}: ${name}`);
      });
    expect(direct).toEqual([]);
  });

  it('has at most 15 files in a folder without sub-folders', () => {
    const folders = new Map<string, boolean[]>();
    for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
      const inside = folders.get(entry.parentPath);
      if (inside) inside.push(entry.isFile());
      else folders.set(entry.parentPath, [entry.isFile()]);
    }
    const crowded = [...folders]
      .filter(([, inside]) => inside.length > 15 && inside.every((isFile) => isFile))
      .map(([folder]) => folder);
    expect(folders.size).toBeGreaterThan(20);
    expect(crowded).toEqual([]);
  });

  it('keeps files at 400 lines or fewer', () => {
    const long = files.filter((file) => readFileSync(join(source, file), 'utf8').split('\n').length > 400);
    expect(long).toEqual([]);
  });
});

const web = new URL('../web/src/', import.meta.url).pathname;

describe('the browser application', () => {
  const pages = readdirSync(web, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.(tsx?|css)$/.test(file),
  );
  const shared = (file: string) =>
    [...readFileSync(join(web, file), 'utf8').matchAll(/from '(?:\.\.\/)+src\/([^']+)'/g)].map(
      ([, path]) => path as string,
    );

  it('imports only code that needs no Node.js', () => {
    const seen = new Set<string>();
    const visit = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      for (const target of valueImportsOf(file)) visit(target);
    };
    for (const page of pages) for (const file of shared(page)) visit(file);
    expect(seen.size).toBeGreaterThan(20);
    const wrong = [...seen].filter((file) =>
      /from 'node:|\b(?:Buffer|process)\.\w/.test(readFileSync(join(source, file), 'utf8')),
    );
    expect(wrong).toEqual([]);
  });

  it('has short files', () => {
    expect(pages.length).toBeGreaterThan(20);
    const long = pages.filter((file) => readFileSync(join(web, file), 'utf8').split('\n').length > 400);
    expect(long).toEqual([]);
  });
});

/** Imports of a file, without imports of types. */
function valueImportsOf(file: string): string[] {
  const text = readFileSync(join(source, file), 'utf8').replace(/import type [^;]+;/g, '');
  return [...text.matchAll(/from\s*'(\.[^']+)'/g)].map(([, path]) =>
    normalize(join(dirname(file), path as string)),
  );
}
