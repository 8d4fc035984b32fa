/** Who may import whom. docs/architecture.md explains the order; this test holds it. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

const source = new URL('../src/', import.meta.url).pathname;

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
  (file) =>
    /\.(ts|mjs)$/.test(file) &&
    !file.endsWith('.test.ts') &&
    // These run by themselves, over the built package.
    !/^bench\/(?:peers|scripts)\//.test(file),
);

/** Each folder in the order of the pipeline, with the folders that its files may import from besides their own. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  networks: [],
  graph: ['networks'],
  diagram: ['networks', 'graph'],
  passes: ['graph'],
  compile: ['graph', 'passes'],
  engine: ['compile'],
  setup: ['engine'],
  images: [],
  data: ['images'],
  weights: [],
  hub: ['weights'],
  model: ['networks', 'graph', 'engine', 'images', 'weights'],
  ecosystems: ['networks', 'graph', 'images', 'weights', 'hub', 'model'],
  predict: ['graph', 'compile', 'engine', 'images', 'data', 'weights', 'model', 'ecosystems'],
  evaluate: ['data', 'predict'],
  onnx: ['images', 'model'],
  'onnx/run': ['images', 'predict', 'onnx'],
  'onnx/write': [
    'graph',
    'passes',
    'compile',
    'images',
    'data',
    'model',
    'predict',
    'evaluate',
    'onnx',
    'onnx/run',
  ],
  classifier: [
    'compile',
    'engine',
    'graph',
    'images',
    'data',
    'model',
    'predict',
    'onnx',
    'onnx/run',
    'onnx/write',
  ],
  train: [
    'networks',
    'graph',
    'compile',
    'engine',
    'images',
    'data',
    'weights',
    'model',
    'predict',
    'evaluate',
  ],
  server: ['compile', 'images', 'data', 'model', 'predict', 'onnx', 'classifier'],
  dashboard: ['networks', 'train'],
  bench: [
    'networks',
    'graph',
    'compile',
    'engine',
    'data',
    'weights',
    'model',
    'predict',
    'onnx/run',
    'train',
  ],
  cli: [
    'networks',
    'graph',
    'diagram',
    'compile',
    'engine',
    'setup',
    'images',
    'data',
    'weights',
    'hub',
    'model',
    'ecosystems',
    'predict',
    'evaluate',
    'onnx',
    'onnx/run',
    'onnx/write',
    'classifier',
    'train',
    'server',
    'dashboard',
    'bench',
  ],
};

/** Files directly in src/ that any file may import. */
const common = ['errors.ts', 'option.ts', 'parse-json.ts', 'random.ts', 'replace-file.ts', 'version.ts'];

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

describe('the architecture', () => {
  it('has files in every folder that the table names, and no others', () => {
    const folders = new Set(files.map(folderOf).filter((folder) => folder !== '.'));
    expect([...folders].sort()).toEqual(Object.keys(allowed).sort());
  });

  it('lets files import only from the folders before theirs', () => {
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

  it('gives every error class the base InceptionError, by which the command line knows its own', () => {
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

  it('keeps files short: one of over 400 lines says why in its header', () => {
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

  it('shares with the package only what needs no Node.js', () => {
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

/** Files whose code a file needs; those that it takes only types from are erased. */
function valueImportsOf(file: string): string[] {
  const text = readFileSync(join(source, file), 'utf8').replace(/import type [^;]+;/g, '');
  return [...text.matchAll(/from\s*'(\.[^']+)'/g)].map(([, path]) =>
    normalize(join(dirname(file), path as string)),
  );
}
