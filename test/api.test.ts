/** The public API: what each subpath loads, its docstrings, and docs/api.md. */
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { apiPage, declarationOf, namesOf, subpaths } from '../scripts/api-page.mjs';

const root = new URL('..', import.meta.url).pathname;

/** The files of src/ and packages that a file loads, without dynamic imports. */
function loadedWith(entry: string): { files: Set<string>; packages: Set<string>; node: Set<string> } {
  const [files, packages, node] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    const text = readFileSync(join(root, file), 'utf8');
    // Types, and imports of types alone, are erased.
    for (const [, names = '', path = ''] of text.matchAll(
      /^(?:import|export) (?!type )(?:([^;']*?) from )?'([^']+)';/gms,
    )) {
      if (/^\{(\s*type [^,}]+,?)+\s*\}$/.test(names)) continue;
      if (path.startsWith('.')) visit(normalize(join(dirname(file), path)));
      else if (path.startsWith('node:')) node.add(path);
      else packages.add(path);
    }
  };
  visit(entry);
  return { files, packages, node };
}

describe('the public API', () => {
  it('has a docstring for every name', () => {
    const names = subpaths.flatMap(({ file }) => namesOf(file));
    expect(names.length).toBeGreaterThan(150);
    const undocumented = names
      .filter(({ name, from }) => !declarationOf(name, from).docstring)
      .map(({ name, from }) => `${from}: ${name}`);
    expect(undocumented).toEqual([]);
  });

  it('is documented in docs/api.md (npm run docs writes it)', () => {
    expect(readFileSync(join(root, 'docs/api.md'), 'utf8')).toBe(apiPage());
  });

  it('is exported in package.json, subpath by subpath', () => {
    const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      exports: Readonly<Record<string, { types: string } | string>>;
    };
    const listed = Object.entries(exports).flatMap(([path, files]) =>
      typeof files === 'string' ? [] : [[`inception-networks${path.slice(1)}`, files.types]],
    );
    expect(listed).toEqual(
      subpaths.map(({ name, file }) => [name, `./${file.replace(/^src/, 'dist').replace(/ts$/, 'd.ts')}`]),
    );
  });

  it('loads nothing heavy before it is used', () => {
    const { packages, files } = loadedWith('src/index.ts');
    expect([...packages].sort()).toEqual(['p-limit', 'papaparse', 'snappyjs', 'zod']);
    const heavy = /^src\/(cli|server|bench|dashboard|onnx\/(run|write))\//;
    expect([...files].filter((file) => heavy.test(file))).toEqual([]);
  });

  it('has a web subpath that needs no Node.js, and only packages that run in a browser', () => {
    const { packages, node, files } = loadedWith('src/api/web.ts');
    expect([...packages].sort()).toEqual(['protobufjs/minimal.js', 'zod']);
    expect([...node]).toEqual([]);
    const globals = [...files].filter((file) =>
      /\b(?:Buffer|process)\.\w/.test(readFileSync(join(root, file), 'utf8')),
    );
    expect(globals).toEqual([]);
  });

  it('is the web subpath for a bundler', () => {
    const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
    };
    expect(exports['.']?.browser).toBe(exports['./web']?.default);
  });

  it('has a networks subpath that needs neither Node.js nor any package', () => {
    const { packages, node, files } = loadedWith('src/api/networks.ts');
    expect([...packages, ...node]).toEqual([]);
    const globals = [...files].filter((file) =>
      /\b(?:Buffer|process)\.\w/.test(readFileSync(join(root, file), 'utf8')),
    );
    expect(globals).toEqual([]);
  });
});
