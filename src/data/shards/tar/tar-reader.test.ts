import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ByteSource, FileSource, StreamSource } from './byte-source.ts';
import { headerBytes, memberBytes, tarBytes, type WrittenMember, withChecksum } from './tar-bytes.ts';
import { TarReader } from './tar-reader.ts';

const exec = promisify(execFile);

/** Bytes in pieces of some sizes, in turn. */
async function* inPieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] as number;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

const streamOf = (bytes: Uint8Array, sizes: readonly number[] = [700]) =>
  new StreamSource(inPieces(bytes, sizes));

async function membersOf(source: ByteSource): Promise<{ name: string; offset: number; body: string }[]> {
  const reader = new TarReader(source, 'a.tar');
  const found = [];
  for (let member = await reader.next(); member; member = await reader.next())
    found.push({
      name: member.name,
      offset: member.offset,
      body: Buffer.from(await reader.bytes(member)).toString('latin1'),
    });
  return found;
}

const refusal = (bytes: Uint8Array) => membersOf(streamOf(bytes)).then(String, (error) => error.message);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tar-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function fromFile<Result>(
  bytes: Uint8Array,
  use: (source: FileSource) => Promise<Result>,
): Promise<Result> {
  const path = join(folder, `${Math.random()}.tar`);
  await writeFile(path, bytes);
  const file = await open(path);
  try {
    return await use(new FileSource(file, bytes.length));
  } finally {
    await file.close();
  }
}

const segment = fc.stringMatching(/^[a-zA-Z0-9é猫_-][a-zA-Z0-9é猫_ -]{0,60}$/);
const name = fc
  .tuple(fc.array(segment, { maxLength: 4 }), segment)
  .map(([folders, base]) => [...folders, `${base}.jpg`].join('/'));
const member: fc.Arbitrary<WrittenMember> = fc
  .tuple(name, fc.uint8Array({ maxLength: 3000 }), fc.constantFrom('gnu', 'pax'))
  .map(([name, body, form]) => ({ name, body, form }) as WrittenMember);

describe('the reader of archives', () => {
  it('gives names, places and bytes of what was written, from files and from streams in any pieces', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(member, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1 }),
        async (written, sizes) => {
          const bytes = tarBytes(written);
          const expected = written.map(({ name, body = '' }) => ({
            name,
            body: Buffer.from(body as Uint8Array).toString('latin1'),
          }));
          const fromStream = await membersOf(streamOf(bytes, sizes));
          expect(fromStream.map(({ name, body }) => ({ name, body }))).toEqual(expected);
          expect(await fromFile(bytes, membersOf)).toEqual(fromStream);
          for (const { offset, body } of fromStream)
            expect(Buffer.from(bytes.subarray(offset, offset + body.length)).toString('latin1')).toBe(body);
        },
      ),
      { numRuns: 60 },
    ));

  it.each(['v7', 'ustar', 'gnu', 'oldgnu', 'posix'])(
    'reads what GNU tar writes as --format=%s',
    async (format) => {
      const long = `${'deep/'.repeat(format === 'v7' ? 2 : format === 'ustar' ? 25 : 60)}café 猫.jpg`;
      const names = ['a.jpg', 'sub/b.cls', long];
      const root = join(folder, format);
      for (const each of names) {
        await mkdir(dirname(join(root, each)), { recursive: true });
        await writeFile(join(root, each), `content of ${each}`);
      }
      const path = join(folder, `${format}.tar`);
      await exec('tar', [
        '-C',
        root,
        `--format=${format}`,
        '-cf',
        path,
        './sub',
        ...names.filter((n) => n !== 'sub/b.cls'),
      ]);
      const members = await membersOf(streamOf(await readFile(path)));
      expect(
        Object.fromEntries(members.map(({ name, body }) => [name, Buffer.from(body, 'latin1').toString()])),
      ).toEqual(Object.fromEntries(names.map((each) => [each, `content of ${each}`])));
    },
  );

  it('skips bodies that nobody asks for without reading them from a file', async () => {
    const bytes = tarBytes([
      { name: 'a.jpg', body: new Uint8Array(5_000_000) },
      { name: 'b.jpg', body: 'b' },
    ]);
    await fromFile(bytes, async (source) => {
      const reader = new TarReader(source, 'a.tar');
      expect([(await reader.next())?.name, (await reader.next())?.name, await reader.next()]).toEqual([
        'a.jpg',
        'b.jpg',
        undefined,
      ]);
    });
  });

  it('reads sizes in base 256', async () => {
    const block = Buffer.from(headerBytes({ name: 'a.jpg', size: 0, type: '0' }));
    block.fill(0, 124, 136);
    block[124] = 0x80;
    block[135] = 3;
    const body = Buffer.alloc(512);
    body.write('abc');
    const bytes = Buffer.concat([withChecksum(block), body, Buffer.alloc(1024)]);
    expect(await membersOf(streamOf(bytes))).toEqual([{ name: 'a.jpg', offset: 512, body: 'abc' }]);
  });

  it.each<[string, WrittenMember, string]>([
    ['a hard link', { name: 'a.jpg', type: '1' }, "member 'a.jpg' is a hard link; expected regular files"],
    [
      'a symbolic link',
      { name: 'a.jpg', type: '2' },
      "member 'a.jpg' is a symbolic link; expected regular files",
    ],
    ['a device', { name: 'a.jpg', type: '4' }, "member 'a.jpg' is a block device; expected regular files"],
    ['a pipe', { name: 'a.jpg', type: '6' }, "member 'a.jpg' is a named pipe; expected regular files"],
    [
      'an unknown type',
      { name: 'a.jpg', type: 'Q' },
      "member 'a.jpg' is of type 'Q'; expected regular files",
    ],
    [
      'a file with holes',
      { name: 'a.jpg', type: 'S' },
      "member 'a.jpg' is a file with holes (sparse); expected",
    ],
    [
      'a file with holes in a pax header',
      { name: 'a.jpg', form: 'pax', records: { 'GNU.sparse.major': '1' } },
      "member 'a.jpg' is a file with holes (sparse)",
    ],
    [
      'an absolute path',
      { name: '/etc/a.jpg' },
      "member '/etc/a.jpg' has an absolute path; expected one within",
    ],
    ['a drive', { name: 'C:\\a.jpg' }, "member 'C:\\a.jpg' has an absolute path"],
    ['a way out', { name: 'a/../../b.jpg' }, "member 'a/../../b.jpg' leads out of the archive ('..')"],
    ['no name', { name: '' }, "member '' has no name"],
    [
      'a terminal escape',
      { name: 'a\u001b[2J.jpg' },
      "member 'a\\u001b[2J.jpg' has control characters in its name",
    ],
    ['a very long name', { name: 'a'.repeat(5000), form: 'pax' }, 'has a name of 5000 characters'],
    [
      'a size beyond the bounds',
      { name: 'a.jpg', size: 2 ** 29 + 1 },
      "member 'a.jpg' has 536870913 bytes; expected at most 536870912",
    ],
    [
      'a size beyond exact numbers',
      { name: 'a.jpg', records: { size: '9'.repeat(20) } },
      'has a size in its pax header that is no number',
    ],
    [
      'a size beyond the end',
      { name: 'a.jpg', size: 100_000 },
      "member 'a.jpg' has 100000 bytes by its header, but the archive ends before them",
    ],
    [
      'a huge header',
      { name: 'x', type: 'x', size: 2 ** 30 },
      'has a header of 1073741824 bytes; expected at most',
    ],
    [
      'one name for all',
      { name: 'x', type: 'g', body: '14 path=a.jpg\n' },
      'gives one name or size to all members',
    ],
    [
      'a malformed record',
      { name: 'x', type: 'x', body: '99 path=a\n' },
      'has a malformed record in its pax header',
    ],
  ])('refuses %s with the name', async (_, written, message) => {
    expect(await refusal(tarBytes([written]))).toContain(message);
  });

  it('refuses headers in a row without end', async () => {
    const long = memberBytes({ name: 'x', type: 'L', body: 'name' });
    expect(await refusal(Buffer.concat(Array.from({ length: 20 }, () => long)))).toContain(
      "a.tar: member 'name' has more than 8 headers that belong to it",
    );
  });

  it('says what is wrong with an archive as a whole', async () => {
    const whole = Buffer.from(tarBytes([{ name: 'a.jpg', body: 'abc' }]));
    const changed = Buffer.from(whole);
    changed[1] = 0x62;
    expect(await refusal(changed)).toBe('a.tar: is no tar archive (the checksum of a header is wrong)');
    expect(await refusal(Buffer.alloc(0))).toBe('a.tar: is empty; expected a tar archive');
    expect(await refusal(Buffer.from([0x1f, 0x8b, ...Buffer.alloc(600)]))).toBe(
      'a.tar: is compressed (gzip); expected a plain tar archive: unpack it with gunzip',
    );
    expect(await refusal(whole.subarray(0, 1024))).toBe(
      'a.tar: ends at byte 1024 without the end of an archive: it is cut off',
    );
    expect(await refusal(Buffer.concat([whole, whole]))).toBe(
      'a.tar: holds data behind its end, at byte 2048; expected one archive: were several joined?',
    );
    const second = Buffer.concat([whole.subarray(0, 1024), changed]);
    expect(await refusal(second)).toBe(
      'a.tar: the checksum of a header is wrong, at byte 1024: the archive is damaged',
    );
  });

  it('refuses a size that only the file contradicts before it reads on', async () => {
    const bytes = tarBytes([{ name: 'a.jpg', size: 100_000 }]);
    await expect(fromFile(bytes, membersOf)).rejects.toThrow(
      "a.tar: member 'a.jpg' has 100000 bytes by its header, but the archive ends at byte 1536 before them",
    );
  });

  it('gives members or a ShardError for any bytes', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(member, { minLength: 1, maxLength: 3 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
        fc.boolean(),
        async (written, changes, isSummed) => {
          const bytes = Buffer.from(tarBytes(written));
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          if (isSummed) withChecksum(bytes.subarray(0, 512));
          const outcome = await membersOf(streamOf(bytes)).catch((error) => error);
          if (!Array.isArray(outcome)) expect(outcome.name).toBe('ShardError');
          const again = await fromFile(bytes, membersOf).catch((error) => error);
          expect(Array.isArray(again)).toBe(Array.isArray(outcome));
        },
      ),
      { numRuns: 200 },
    ));
});
