/** Streams from their readers to a training: one file (over 400 lines), since all parts are tried on the same shards, servers and commands. */
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mildAugmentation } from '../../../images/augmentation.ts';
import { randomFor } from '../../../random.ts';
import { type TrainingBatch, trainingBatches } from '../../batches.ts';
import { describeReport, summarise } from '../../data-report.ts';
import type { Dataset } from '../../dataset.ts';
import { encodePng } from '../../decode.ts';
import { openData } from '../../open-data.ts';
import { openSplits } from '../../splits/open-splits.ts';
import { tarBytes, type WrittenMember } from '../tar/tar-bytes.ts';
import { lanesOf } from './lanes.ts';
import { type BytesOptions, shardBytes } from './shard-bytes.ts';
import { neededAfter, shuffled } from './shuffle-buffer.ts';
import { type StreamOptions, type StreamShard, streamSamples } from './stream-samples.ts';

describe('shards are divided among processes and readers', () => {
  it('64 processes of 8 readers read each of 1,281 shards once, and others in every epoch', () => {
    const lanes = lanesOf({ shards: 1281, lanes: 64 * 8, seed: 1, epoch: 0 });
    const read = lanes.flat().map(({ shard }) => shard);
    expect(read.length).toBe(1281);
    expect(new Set(read).size).toBe(1281);
    const sizes = lanes.map((turns) => turns.length);
    expect([Math.min(...sizes), Math.max(...sizes)]).toEqual([2, 3]);
    expect(lanesOf({ shards: 1281, lanes: 512, seed: 1, epoch: 1 })).not.toEqual(lanes);
    expect(lanesOf({ shards: 1281, lanes: 512, seed: 1, epoch: 0 })).toEqual(lanes);
  });

  it('every image is in one lane, however few shards there are', () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), (shards, lanes) => {
        const images = 60;
        const read = lanesOf({ shards, lanes, seed: 3, epoch: 2 }).map((turns) =>
          turns.flatMap(({ shard, share, of }) =>
            Array.from({ length: images }, (_, at) => at)
              .filter((at) => at % of === share)
              .map((at) => shard * images + at),
          ),
        );
        expect(read.every((each) => each.length > 0)).toBe(true);
        expect(read.flat().sort((a, b) => a - b)).toEqual(
          Array.from({ length: shards * images }, (_, at) => at),
        );
      }),
    ));
});

async function* counting(total: number): AsyncGenerator<number> {
  for (let number = 0; number < total; number++) yield number;
}

async function all<Thing>(things: AsyncIterable<Thing>): Promise<Thing[]> {
  const found: Thing[] = [];
  for await (const thing of things) found.push(thing);
  return found;
}

describe('the shuffle buffer', () => {
  it('gives everything once, and knows what it needs after any number of them', () =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 30 }), fc.nat(80), fc.nat(80), async (size, total, some) => {
        const given = Math.min(some, total);
        const order = await all(shuffled(counting(total), { size, random: randomFor(size, total) }));
        expect([...order].sort((a, b) => a - b)).toEqual(await all(counting(total)));
        const needed = neededAfter(given, { size, total, random: randomFor(size, total) });
        const after = new Set(order.slice(given));
        for (let number = 0; number < total; number++) expect(needed.has(number)).toBe(after.has(number));
        for (const number of after) expect(number).toBeGreaterThanOrEqual(needed.first);
      }),
    ));
});

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'streams-'));
  process.env.XDG_CACHE_HOME = join(root, 'cache');
});
afterAll(() => rm(root, { recursive: true }));

/** Shards of images whose bytes are their names. */
async function writeShards(name: string, sizes: readonly number[]): Promise<StreamShard[]> {
  return Promise.all(
    sizes.map(async (size, shard) => {
      const location = join(root, `${name}-${shard}.tar`);
      const members = Array.from({ length: size }, (_, at): WrittenMember[] => [
        { name: `${shard}x${at}.png`, body: `${shard}x${at}` },
        { name: `${shard}x${at}.cls`, body: String(at % 3) },
      ]);
      await writeFile(location, tarBytes(members.flat()));
      return { kind: 'file' as const, location, images: size };
    }),
  );
}

const read = async (shards: readonly StreamShard[], options: Partial<StreamOptions>) => {
  const found = [];
  const images = shards.reduce((sum, shard) => sum + (shard.images ?? 0), 0);
  for await (const { name, bytes } of streamSamples(shards, { seed: 1, epoch: 0, images, ...options })) {
    expect(name.endsWith(`/${Buffer.from(bytes)}.png`)).toBe(true);
    found.push(Buffer.from(bytes).toString());
  }
  return found;
};

describe('an epoch of a stream', () => {
  it('has each image once, in an order of its seed and epoch, for one process', async () => {
    const shards = await writeShards('one', [7, 1, 12, 5, 9]);
    const options = { buffer: 8, readers: 3 };
    const order = await read(shards, options);
    expect(new Set(order).size).toBe(34);
    expect(await read(shards, options)).toEqual(order);
    expect(await read(shards, { ...options, epoch: 1 })).not.toEqual(order);
    expect(await read(shards, { ...options, seed: 2 })).not.toEqual(order);
  });

  it('has equally many for every process, and none twice where the shards are equal', async () => {
    const shards = await writeShards(
      'equal',
      Array.from({ length: 8 }, () => 6),
    );
    const each = await Promise.all(
      [0, 1, 2, 3].map((rank) => read(shards, { rank, world: 4, readers: 2, buffer: 5 })),
    );
    expect(each.map((images) => images.length)).toEqual([12, 12, 12, 12]);
    expect(new Set(each.flat()).size).toBe(48);
  });

  it('gives a process with too few images some of them again, which is said', async () => {
    const shards = await writeShards('unequal', [2, 20]);
    const notices: string[] = [];
    const each = await Promise.all(
      [0, 1].map((rank) =>
        read(shards, { rank, world: 2, readers: 1, buffer: 3, onNotice: (line) => notices.push(line) }),
      ),
    );
    expect(each.map((images) => images.length)).toEqual([11, 11]);
    expect(notices[0]).toMatch(
      /unequal-\*\.tar: the shards of this process hold 2 images, and an epoch has 11: 9 come again in epoch 1$/,
    );
  });

  it('goes on after any number of images as if it had not stopped, without reading whole shards that it does not need', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 7 }),
        fc.nat(60),
        fc.boolean(),
        async (sizes, some, isCounted) => {
          const shards = await writeShards('resumed', sizes);
          const images = sizes.reduce((sum, size) => sum + size, 0);
          const options = { images, buffer: 4, readers: 2 };
          const known = isCounted ? shards : shards.map(({ images: _, ...shard }) => shard);
          const whole = await read(shards, options);
          const given = Math.min(some, images);
          expect(await read(known, { ...options, given })).toEqual(whole.slice(given));
        },
      ),
      { numRuns: 25 },
    ));

  it('says what it passed over', async () => {
    const shards = await writeShards(
      'passed',
      Array.from({ length: 12 }, () => 20),
    );
    const notices: string[] = [];
    await read(shards, { given: 200, buffer: 3, readers: 2, onNotice: (line) => notices.push(line) });
    expect(notices[0]).toMatch(
      /passed-\*\.tar: went on after 200 images of epoch 1: [4-9] shards were not read, and \d+ images passed over without being decoded$/,
    );
  });

  it('leaves out the rest of a damaged shard, with its name, and ends if there are several', async () => {
    const shards = await writeShards('damaged', [4, 4, 4]);
    const damage = async (shard: StreamShard) => {
      const bytes = await readFile(shard.location);
      bytes.fill(0x7f, 4 * 1024, 4 * 1024 + 100);
      await writeFile(shard.location, bytes);
    };
    await damage(shards[1] as StreamShard);
    const notices: string[] = [];
    const found = await read(shards, { images: 9, buffer: 2, onNotice: (line) => notices.push(line) });
    expect(new Set(found).size).toBe(9);
    expect(notices[0]).toContain(
      'damaged-1.tar: the checksum of a header is wrong, at byte 4096: the archive is damaged; the rest of this shard is left out',
    );
    await damage(shards[2] as StreamShard);
    await expect(read(shards, { images: 10, buffer: 2 })).rejects.toThrow('2 of 3 shards are damaged');
  });
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
const servers: (() => void)[] = [];
afterEach(() => {
  for (const close of servers.splice(0)) close();
});

async function serve(handler: Handler): Promise<string> {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const rangeOf = ({ headers }: IncomingMessage) =>
  Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);

/** A file server that breaks off after so many bytes of each answer. */
const breaking =
  (
    bytes: Uint8Array,
    { each, ranges, asked }: { each: number; ranges: boolean; asked: (string | undefined)[] },
  ): Handler =>
  (request, response) => {
    asked.push(request.headers.range);
    const begin = ranges ? rangeOf(request) : 0;
    const rest = bytes.subarray(begin);
    response.writeHead(begin > 0 ? 206 : 200, {
      'content-length': rest.length,
      etag: '"one"',
      ...(begin > 0 && { 'content-range': `bytes ${begin}-${bytes.length - 1}/${bytes.length}` }),
    });
    const isWhole = rest.length <= each;
    response.write(rest.subarray(0, each), () => {
      if (isWhole) response.end();
      else setTimeout(() => response.destroy(), 5);
    });
  };

const bytesOf = async (shard: StreamShard, options: BytesOptions = {}) =>
  Buffer.concat(await all(shardBytes(shard, { delaysMs: [1, 1], ...options })));

const url = (location: string): StreamShard => ({ kind: 'url', location });
const pipe = (location: string): StreamShard => ({ kind: 'pipe', location });
const content = Buffer.from(Array.from({ length: 10_000 }, (_, at) => (at * 7) % 251));

describe('the bytes of a shard at an address', () => {
  it('go on where a connection broke off', async () => {
    const asked: (string | undefined)[] = [];
    const server = await serve(breaking(content, { each: 3000, ranges: true, asked }));
    const retries: string[] = [];
    expect(
      (await bytesOf(url(`${server}/x.tar`), { onRetry: (line) => retries.push(line) })).equals(content),
    ).toBe(true);
    expect(asked).toEqual([undefined, 'bytes=3000-', 'bytes=6000-', 'bytes=9000-']);
    expect(retries[0]).toMatch(/x\.tar: broke off at byte 3000 \(.+\); going on from there in 0\.001 s$/);
  });

  it('skip what came before from a server that cannot go on in the middle', async () => {
    let each = 3000;
    const asked: (string | undefined)[] = [];
    const server = await serve((request, response) => {
      breaking(content, { each, ranges: false, asked })(request, response);
      each += 4000;
    });
    expect((await bytesOf(url(`${server}/x.tar`))).equals(content)).toBe(true);
    expect(asked.length).toBe(3);
  });

  it('end with a reason when patience has ended, or trying again is useless', async () => {
    const dead = await serve((_, response) => response.destroy());
    await expect(bytesOf(url(`${dead}/x.tar`))).rejects.toThrow(
      /x\.tar: broke off at byte 0 \(.+\), tried 3 times without another byte/,
    );
    const missing = await serve((_, response) => response.writeHead(404).end());
    await expect(bytesOf(url(`${missing}/x.tar`))).rejects.toThrow(
      `${missing}/x.tar: the server answers 404 Not Found`,
    );
    const asked: (string | undefined)[] = [];
    let version = 0;
    const changing = await serve((request, response) => {
      const set = response.writeHead.bind(response);
      response.writeHead = ((status: number, headers: object) =>
        set(status, { ...headers, etag: `"${version++}"` })) as never;
      breaking(content, { each: 3000, ranges: true, asked })(request, response);
    });
    await expect(bytesOf(url(`${changing}/x.tar`))).rejects.toThrow('has changed while it was read');
    const silent = await serve(
      (_, response) => void response.writeHead(200, { 'content-length': 5 }).write('a'),
    );
    await expect(bytesOf(url(`${silent}/x.tar`), { idleMs: 30 })).rejects.toThrow('nothing came for 0.03 s');
  });
});

describe('the output of a command as a shard', () => {
  it('is what it writes, with the shell', async () => {
    const path = join(root, 'piped.bin');
    await writeFile(path, content);
    expect((await bytesOf(pipe(`cat '${path}' | cat`))).equals(content)).toBe(true);
  });

  it('is begun again and skipped where a command fails, and then an error', async () => {
    const mark = join(root, 'mark');
    const path = join(root, 'piped.bin');
    const command = `if [ -e ${mark} ]; then cat ${path}; else touch ${mark}; head -c 5000 ${path}; exit 3; fi`;
    expect((await bytesOf(pipe(command))).equals(content)).toBe(true);
    await expect(bytesOf(pipe('echo no such bucket >&2; exit 7'))).rejects.toThrow(
      'broke off at byte 0 (the command ended with 7: no such bucket), tried 3 times',
    );
  });

  it('is ended with everything that it started when nobody wants more', async () => {
    const pieces = shardBytes(pipe('yes | cat'));
    await pieces.next();
    await pieces.return(undefined);
  });
});

/** Shards of real images behind a server, with what else lies there. */
async function imageServer(
  files: Readonly<Record<string, string>> = {},
): Promise<{ server: string; asked: string[] }> {
  const png = (value: number) =>
    encodePng({ height: 6, width: 6, channels: 3, data: new Uint8Array(108).fill(value) });
  const shard = async (number: number) => {
    const members: WrittenMember[] = [];
    for (let at = 0; at < 10; at++)
      members.push(
        {
          name: `s${number}/${at}.png`,
          body: number === 1 && at === 4 ? 'broken' : await png(number * 10 + at),
        },
        { name: `s${number}/${at}.cls`, body: String(at % 2) },
      );
    return tarBytes(members);
  };
  const shards = await Promise.all([0, 1, 2].map(shard));
  const asked: string[] = [];
  const server = await serve((request, response) => {
    const name = (request.url ?? '').slice(1);
    asked.push(name);
    const number = /^train-(\d)\.tar$/.exec(name)?.[1];
    const body = number === undefined ? files[name] : shards[Number(number)];
    if (body === undefined) response.writeHead(404).end();
    else response.end(body);
  });
  return { server, asked };
}

const said = (dataset: Dataset) => describeReport(dataset).join('\n');

describe('a stream as a data set', () => {
  const names = { 'classes.txt': 'cat\ndog\n' };

  it('is counted once, and then known', async () => {
    const { server, asked } = await imageServer();
    const source = `${server}/train-{0..2}.tar`;
    const notices: string[] = [];
    const onNotice = (line: string) => notices.push(line);
    const { train, validation } = await openSplits(source, { mayStream: true, onNotice });
    expect(notices).toEqual([
      expect.stringContaining('reading all 3 shards once, to count their images and labels'),
    ]);
    expect([train.length, train.classes, validation]).toEqual([30, ['0', '1'], undefined]);
    expect(summarise(train).perClass).toEqual([
      ['0', 15],
      ['1', 15],
    ]);
    expect(said(train)).toContain('all of it was read once to count its images and labels (0 MB)');
    expect(said(train)).toContain(
      'is a stream, of which no images are kept for validation; val=SHARDS names some',
    );
    asked.length = 0;
    expect(said((await openSplits(source, { mayStream: true })).train)).toContain(
      'as they were counted before',
    );
    expect(asked.filter((name) => name.startsWith('train'))).toEqual([]);
  });

  it('takes the number of images from --data or from sizes.json, and class names from beside the shards', async () => {
    const { server, asked } = await imageServer({
      ...names,
      'sizes.json': '{"train-0.tar":10,"train-1.tar":10,"train-2.tar":10}',
    });
    const { train } = await openSplits(`${server}/train-{0..2}.tar`, { mayStream: true });
    expect([train.length, train.classes, asked.filter((name) => name.startsWith('train'))]).toEqual([
      30,
      ['cat', 'dog'],
      [],
    ]);
    const stated = await openSplits(`${server}/train-{0..2}.tar|25`, { mayStream: true });
    expect(stated.train.length).toBe(25);
    const unnamed = await imageServer();
    await expect(openSplits(`${unnamed.server}/train-{0..2}.tar|25`, { mayStream: true })).rejects.toThrow(
      'says that it has 25 images, but not which classes: expected classes=FILE in the list, or a classes.txt beside the shards',
    );
  });

  it('gives batches that a resumed training gives again, with another image for a broken one', async () => {
    const { server } = await imageServer(names);
    const { train } = await openSplits(`${server}/train-{0..2}.tar|30`, { mayStream: true });
    const skipped: string[] = [];
    const options = {
      batch: 4,
      size: [6, 6],
      augmentation: { ...mildAugmentation, shift: 0 },
      seed: 5,
      onBroken: (_: Error, __: number, name?: string) => skipped.push(name ?? ''),
    } as const;
    const take = async (count: number, start?: { epoch: number; position: number }) => {
      const batches: TrainingBatch[] = [];
      const source = trainingBatches(train, { ...options, ...(start && { start }) });
      for await (const batch of source) if (batches.push(batch) === count) break;
      return batches;
    };
    const batches = await take(9);
    expect(batches.map(({ epoch, position }) => [epoch, position])).toEqual([
      ...Array.from({ length: 7 }, (_, at) => [0, at]),
      [1, 0],
      [1, 1],
    ]);
    expect(skipped).toContain('train-1.tar/s1/4.png');
    // Every pixel of an image is its number; its label is its parity.
    const values = batches
      .slice(0, 7)
      .flatMap(({ images }) => [0, 1, 2, 3].map((slot) => images[slot * 108] as number));
    expect(new Set(values).size).toBeGreaterThanOrEqual(26);
    for (const { images, labels } of batches)
      labels.forEach((label, slot) => {
        expect(Number(label)).toBe((images[slot * 108] as number) % 2);
      });
    const resumed = await take(4, { epoch: 0, position: 5 });
    expect(resumed.map(({ images, labels }) => [...images, ...labels])).toEqual(
      batches.slice(5).map(({ images, labels }) => [...images, ...labels]),
    );
  });

  it('is refused for everything but a training, before a command runs', async () => {
    const mark = join(root, 'ran');
    const source = `pipe:touch ${mark}; cat x-train-0.tar`;
    for (const opening of [openData(source, 'train'), openData(source, 'test'), openSplits(source)])
      await expect(opening).rejects.toThrow('shards that are not files can only be trained on');
    await expect(readFile(mark)).rejects.toThrow('ENOENT');
  });

  it('can have validation images in local shards', async () => {
    const { server } = await imageServer(names);
    const path = join(root, 'held-out.tar');
    await writeFile(
      path,
      tarBytes([
        { name: 'a.png', body: 'x' },
        { name: 'a.cls', body: '1' },
      ]),
    );
    await writeFile(join(root, 'names.txt'), 'cat\ndog\n');
    const { train, validation, validationFrom } = await openSplits(
      `classes=${root}/names.txt::train=${server}/train-{0..2}.tar::val=${path}`,
      { mayStream: true },
    );
    expect([train.length, validation?.length, validation?.classes, validationFrom]).toEqual([
      30,
      1,
      ['cat', 'dog'],
      'folder',
    ]);
    await expect(
      openSplits(`${server}/train-{0..2}.tar`, { mayStream: true, validation: 0.2 }),
    ).rejects.toThrow("option 'validation': no images of");
  });
});
