/**
 * Opens hostile files, each in a process of its own, and prints a table: what the reader said, how long it took, and its peak
 * memory. Exits with 1 if a reader crashed, hung, gave another answer than expected, or took too much.
 *
 *   npx tsc -p tsconfig.build.json && node scripts/hostile-files.mjs [READER…] [--json]
 *
 * A reader's rows are a file in scripts/hostile/ that exports `reader`: its name, `open`, which opens a path with the built
 * package, and `rows` of { name, make, expected }. `make` writes the input at a path (a file, or a folder); `expected` is a
 * pattern that the refusal must match, or 'opens'.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Beyond the process itself (node and the package, about 100 MB): what any reader may take for any file. */
const limits = { seconds: 10, megabytes: 500, killAfterMs: 60_000 };

const folder = new URL('./hostile/', import.meta.url);
const readers = [];
for (const file of readdirSync(folder).sort()) readers.push((await import(new URL(file, folder))).reader);

/** Prints what became of one file as a line of JSON. */
async function openInChild(name, path) {
  const { open } = readers.find((reader) => reader.name === name);
  const before = process.resourceUsage().maxRSS;
  const start = performance.now();
  let outcome = 'opens';
  try {
    await open(path);
  } catch (error) {
    const { InceptionError } = await import('../dist/errors.js');
    const meant = error instanceof InceptionError || typeof error.syscall === 'string';
    outcome = meant ? error.message : `UNEXPECTED ${error.stack}`;
  }
  const seconds = (performance.now() - start) / 1000;
  const megabytes = (process.resourceUsage().maxRSS - before) / 1024;
  process.stdout.write(`${JSON.stringify({ outcome: outcome.slice(0, 4000), seconds, megabytes })}\n`, () =>
    process.exit(0),
  );
}

function runAll() {
  const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'));
  const json = process.argv.includes('--json');
  const results = [];
  for (const { name: reader, rows } of readers) {
    if (wanted.length > 0 && !wanted.includes(reader)) continue;
    for (const row of rows) {
      const result = { reader, name: row.name, ...tryRow(reader, row) };
      results.push(result);
      if (!json) console.log(lineOf(result));
    }
  }
  const wrong = results.filter(({ verdict }) => verdict !== 'ok');
  if (json) console.log(JSON.stringify(results, null, 2));
  else console.log(`${results.length} files, ${wrong.length} not as expected`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
}

const lineOf = ({ reader, name, bytes, seconds, megabytes, verdict, outcome }) =>
  [
    verdict.padEnd(8),
    reader.padEnd(12),
    name.padEnd(44),
    `${(bytes / 1e6).toFixed(2).padStart(8)} MB`,
    `${seconds.toFixed(2).padStart(6)} s`,
    `${megabytes.toFixed(0).padStart(5)} MB`,
    JSON.stringify(outcome.replace(/\/\S*inception-hostile-\w+\//g, '').slice(0, 110)),
  ].join('  ');

function tryRow(reader, { name, make, expected }) {
  const directory = mkdtempSync(join(tmpdir(), 'inception-hostile-'));
  try {
    const path = join(directory, 'file');
    // `make` may return a path of its own, for readers that look at the name.
    const given = make(path) ?? path;
    const bytes = statSync(given, { throwIfNoEntry: false })?.size ?? 0;
    const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), '--open', reader, given], {
      encoding: 'utf8',
      timeout: limits.killAfterMs,
      maxBuffer: 1e8,
    });
    const line = child.stdout.trim().split('\n').at(-1);
    if (child.status !== 0 || !line)
      return {
        bytes,
        seconds: Number.NaN,
        megabytes: Number.NaN,
        verdict: 'CRASHED',
        outcome: `${child.signal ?? child.status} ${child.stderr.trim().split('\n')[0] ?? ''}`,
      };
    const result = JSON.parse(line);
    return { bytes, ...result, verdict: judge(result, expected) };
  } catch (error) {
    return { bytes: 0, seconds: 0, megabytes: 0, verdict: 'NOT MADE', outcome: `${name}: ${error.stack}` };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function judge({ outcome, seconds, megabytes }, expected) {
  if (seconds > limits.seconds) return 'SLOW';
  if (megabytes > limits.megabytes) return 'LARGE';
  const asExpected = expected === 'opens' ? outcome === 'opens' : expected.test(outcome);
  return asExpected ? 'ok' : 'WRONG';
}

if (process.argv[2] === '--open') await openInChild(process.argv[3], process.argv[4]);
else runAll();
