/** PyTorch's checkpoints: pickles in the format before 1.6, and ZIP archives. */
import { writeFileSync } from 'node:fs';

const latin = (text) => Buffer.from(text, 'latin1');
const int = (value) => `J${Buffer.from(Int32Array.of(value).buffer).toString('latin1')}`;
const text = (value) => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(value.length);
  return `X${length.toString('latin1')}${value}`;
};

const magic = '\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.';
/** A file of this pickle in the old format, and of so many float32 values in one storage. */
const legacy =
  (object, { keys = ']', values = 0, listed = values } = {}) =>
  (path) => {
    const head = latin(`${magic}M\xe9\x03.}.${object}.${keys}.`);
    const count = Buffer.from(BigInt64Array.of(BigInt(listed)).buffer);
    writeFileSync(path, keys === ']' ? head : Buffer.concat([head, count, Buffer.alloc(4 * values)]));
  };

/** One tensor under a name, over a storage of six values. */
const tensor = ({ shape, stride, name = 't', offset = 0 }) => {
  const tuple = (numbers) => `(${numbers.map(int).join('')}t`;
  const storage = `(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpu${int(6)}NtQ`;
  return `${text(name)}ctorch._utils\n_rebuild_tensor_v2\n(${storage}${int(offset)}${tuple(shape)}${tuple(stride)}\x89NtR`;
};
const oneTensor = (fields) => legacy(`}(${tensor(fields)}u`, { keys: ']U\x010a', values: 6 });

/** A ZIP archive of stored members; `changes` are of the directory's records. */
const zip =
  (members, changes = {}) =>
  (path) => {
    const locals = [];
    const records = [];
    let offset = 0;
    for (const [name, content] of members) {
      const bytes = latin(name);
      const size = changes.size ?? content.length;
      const fields = Buffer.alloc(26);
      fields.writeUInt16LE(20, 0);
      fields.writeUInt16LE(changes.method ?? 0, 4);
      fields.writeUInt32LE(content.length, 14);
      fields.writeUInt32LE(size, 18);
      fields.writeUInt16LE(bytes.length, 22);
      locals.push(latin('PK\x03\x04'), fields, bytes, content);
      const tail = Buffer.alloc(14);
      tail.writeUInt32LE(changes.offset ?? offset, 10);
      records.push(latin('PK\x01\x02\x14\x00'), fields, tail, bytes);
      offset += 30 + bytes.length + content.length;
    }
    const directory = Buffer.concat(records);
    const end = Buffer.alloc(22);
    end.write('PK\x05\x06', 'latin1');
    const count = changes.count ?? Math.min(members.length, 0xffff);
    end.writeUInt16LE(count, 8);
    end.writeUInt16LE(count, 10);
    end.writeUInt32LE(directory.length, 12);
    end.writeUInt32LE(offset, 16);
    writeFileSync(path, Buffer.concat([...locals, directory, end]));
  };
const pickled = (object) => zip([['a/data.pkl', latin(object)]]);

/** Dicts of dicts, or modules of modules, in which each level refers to the next twice. */
const doubled = (levels, wrap) => {
  let object = wrap('N');
  for (let level = 0; level < levels; level++) object = wrap(`${object}q\x01`, 'h\x01');
  return object;
};
const dictOfTwo = (first, second = 'N') => `}(U\x01a${first}U\x01b${second}u`;
const moduleOfTwo = (first, second = 'N') => `cx\nM\n)\x81}(U\x08_modules${dictOfTwo(first, second)}ub`;

const million = 1_000_000;

export const reader = {
  name: 'torch',
  open: async (path) => {
    const { openModel } = await import('../../dist/predict/open-model.js');
    const opened = await openModel(path);
    await opened.close();
  },
  rows: [
    {
      name: 'a call of os.system',
      make: legacy('cos\nsystem\nU\x0aecho harm;\x85R'),
      expected: /object of 'os.system'/,
    },
    {
      name: 'a call through getattr',
      make: legacy('cbuiltins\ngetattr\ncos\nenviron\nU\x03get\x86RU\x04HOME\x85R'),
      expected: /object of 'builtins.getattr'/,
    },
    {
      name: 'a million unknown classes',
      make: legacy('cx\ny\n'.repeat(million)),
      expected: /more than 48 MB|pops/,
    },
    { name: '4 million dicts', make: legacy('}'.repeat(4 * million)), expected: /more than 48 MB/ },
    { name: '4 million marks', make: legacy('('.repeat(4 * million)), expected: /more than 48 MB/ },
    {
      name: '4 million copies of a value',
      make: legacy(`N${'2'.repeat(4 * million)}`),
      expected: /more than 48 MB/,
    },
    {
      name: 'a list appended to itself',
      make: legacy(`]q\x00${'h\x00a'.repeat(million)}`),
      expected: /no dict|48 MB/,
    },
    {
      name: 'tuples nested 400,000 deep',
      make: legacy(`N${'\x85'.repeat(400_000)}`),
      expected: /no dict|48 MB/,
    },
    { name: 'dicts of 2^40 paths', make: legacy(doubled(40, dictOfTwo)), expected: /no tensors/ },
    { name: 'modules of 2^40 paths', make: legacy(doubled(40, moduleOfTwo)), expected: /nested without end/ },
    { name: 'an integer of 4 GB', make: legacy('\x8b\xff\xff\xff\xff'), expected: /integer of/ },
    {
      name: 'a text of 2^63 bytes',
      make: legacy('\x8d\xff\xff\xff\xff\xff\xff\xff\x7f'),
      expected: /truncated/,
    },
    { name: 'an unknown instruction', make: legacy('(ios\nsystem\n'), expected: /unsupported instruction/ },
    {
      name: 'no end',
      make: (path) => writeFileSync(path, latin(`${magic}M\xe9\x03.}.}`)),
      expected: /truncated/,
    },
    {
      name: 'a tensor of 2^90 elements',
      make: oneTensor({ shape: [2 ** 30, 2 ** 30, 2 ** 30], stride: [0, 0, 0] }),
      expected: /the file has/,
    },
    {
      name: 'a tensor of one value repeated 2^30 times',
      make: oneTensor({ shape: [2 ** 30], stride: [0] }),
      expected: /the file has/,
    },
    {
      name: 'a tensor before its storage',
      make: oneTensor({ shape: [2], stride: [1], offset: -5 }),
      expected: /invalid shape/,
    },
    {
      name: 'a tensor beyond its storage',
      make: oneTensor({ shape: [7], stride: [1] }),
      expected: /needs 28 bytes/,
    },
    {
      name: 'a tensor of 65 dimensions',
      make: oneTensor({ shape: Array(65).fill(1), stride: Array(65).fill(1) }),
      expected: /invalid shape/,
    },
    {
      name: 'a name of 10 MB',
      make: oneTensor({ shape: [2], stride: [1], name: 'n'.repeat(1e7) }),
      expected: /^.{1,6000}$/s,
    },
    {
      name: 'terminal escapes in a name',
      make: oneTensor({ shape: [2], stride: [1], name: '\x1b[2J' }),
      expected: /^[^\p{Cc}]*\\u001b/u,
    },
    {
      name: 'a storage of 2^60 values',
      make: legacy(`}(${tensor({ shape: [2], stride: [1] })}u`, {
        keys: ']U\x010a',
        values: 6,
        listed: 2 ** 60,
      }),
      expected: /has 1152921504606846976 elements/,
    },
    {
      name: 'a pickle of 17 MB',
      make: pickled(`N${'0N'.repeat(8.5 * million)}.`),
      expected: /the limit is 16777216/,
    },
    {
      name: '50,000 members',
      make: zip(Array.from({ length: 50_000 }, (_, index) => [`a/data/${index}`, Buffer.alloc(0)])),
      expected: /data\.pkl/,
    },
    {
      name: 'equal members',
      make: zip([
        ['a/data.pkl', latin('N.')],
        ['a/data.pkl', latin('N.')],
      ]),
      expected: /two members/,
    },
    {
      name: 'a member outside the file',
      make: zip([['a/data.pkl', latin('N.')]], { offset: 2 ** 31 }),
      expected: /expected|ZIP/,
    },
    {
      name: 'a member that lies about its size',
      make: zip([['a/data.pkl', latin('N.')]], { size: 2 ** 31 }),
      expected: /compressed size|limit is|ZIP/,
    },
    {
      name: 'a compressed member',
      make: zip([['a/data.pkl', latin('N.')]], { method: 8 }),
      expected: /compressed/,
    },
    {
      name: 'a directory that lies about its count',
      make: zip([['a/data.pkl', latin('N.')]], { count: 60_000 }),
      expected: /expected 46 bytes|ZIP/,
    },
    {
      name: 'members that climb',
      make: zip([['../../../etc/x/data.pkl', latin('N.')]]),
      expected: /ZIP|data\.pkl/,
    },
    {
      name: 'a TorchScript program',
      make: zip([
        ['a/data.pkl', latin('N.')],
        ['a/code/x.py', latin('')],
      ]),
      expected: /TorchScript/,
    },
    {
      name: 'nothing of an archive but its beginning',
      make: (path) => writeFileSync(path, latin('PK\x03\x04')),
      expected: /ZIP/,
    },
  ],
};
