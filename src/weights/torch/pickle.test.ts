import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeightsError } from '../tensor-file.ts';
import { torchTable } from './objects.ts';
import { Constructor, Placeholder, Tuple, unpickle } from './pickle.ts';

const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'));

/** Of the only function here, and of everything outside. */
const table = {
  global: (name: string) =>
    name === 'a.pair' ? new Constructor(name, (args) => ({ pair: args })) : undefined,
  persistent: (id: unknown) => ({ id }),
};
const run = (text: string) => unpickle(bytesOf(text), { table }).value;

describe('what torchTable does not know', () => {
  const torch = (text: string) => {
    const { table, skipped } = torchTable();
    return { value: unpickle(bytesOf(text), { table }).value, skipped: [...skipped] };
  };

  it('is neither imported nor called: a placeholder takes its place', () => {
    const { value, skipped } = torch('cos\nsystem\nU\x02ls\x85R.');
    expect(value).toBeInstanceOf(Placeholder);
    expect(skipped).toEqual(['os.system']);
  });

  it.each<[string, string]>([
    ['attributes', 'c__main__\nCfg\n)\x81}(U\x01aK\x01ub.'],
    ['items of a dict', 'c__main__\nCfg\n)\x81(U\x01aK\x01u.'],
    ['items of a list', 'ccollections\ndeque\n)R(K\x01K\x02e.'],
    ['elements of a set', 'c__main__\nCfg\n)\x81(K\x01\x90.'],
    ['keyword arguments', 'c__main__\nCfg\n)}\x92.'],
    [
      'an array of NumPy',
      'cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01K\x01\x85NN\x89tb.',
    ],
    ['a call of what is called', 'cbuiltins\ngetattr\ncos\nenviron\nU\x03get\x86RU\x04HOME\x85R.'],
  ])('takes %s', (_, text) => {
    expect(torch(text).value).toBeInstanceOf(Placeholder);
  });

  it('is a dict where it is a defaultdict', () => {
    expect(torch('ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R(U\x01aK\x01u.').value).toEqual(
      new Map([['a', 1]]),
    );
  });

  it('has bounded memory', () => {
    expect(() => torch(`${'cx\ny\n'.repeat(1_000_000)}.`)).toThrow('constructs more than 48 MB of objects');
  });
});

describe('unpickle', () => {
  // The right sides are what CPython's pickle.loads gives for the same bytes.
  it.each<[string, string, unknown]>([
    ['None and truth values', '\x80\x02N\x88\x89\x87.', new Tuple([null, true, false])],
    ['integers', '(K\xffM\xff\xffJ\xff\xff\xff\xff\x8a\x01\x80t.', new Tuple([255, 65535, -1, -128])],
    ['an integer of no bytes', '\x8a\x00.', 0],
    ['an integer beyond 2^53', '\x8a\x08\0\0\0\0\0\0\0\x80.', -(2n ** 63n)],
    ['a real number', 'G\x3f\xf8\0\0\0\0\0\0.', 1.5],
    ['texts', 'X\x02\0\0\0\xc3\xa9\x8c\x01a\x8d\x01\0\0\0\0\0\0\0b\x87.', new Tuple(['é', 'a', 'b'])],
    ["Python 2's texts", 'U\x01\xe9T\x01\0\0\0a\x86.', new Tuple(['é', 'a'])],
    ['bytes', 'C\x02\x00\xff.', Uint8Array.of(0, 255)],
    ['lists', ']K\x01a(K\x02K\x03e.', [1, 2, 3]],
    [
      'dicts',
      '}(K\x01K\x02K\x03K\x04uK\x01K\x05s.',
      new Map([
        [1, 5],
        [3, 4],
      ]),
    ],
    ['sets', '\x8f(K\x01K\x01K\x02\x90.', new Set([1, 2])],
    ['names that objects of JavaScript have', '}U\x09__proto__K\x01s.', new Map([['__proto__', 1]])],
    ['the memo', 'K\x07q\x00K\x08\x94h\x00\x87.', new Tuple([7, 8, 7])],
    ['frames', '\x80\x04\x95\x02\0\0\0\0\0\0\0N.', null],
    ['calls', 'ca\npair\nK\x01K\x02\x86R.', { pair: [1, 2] }],
    ['calls by a name on the stack', '\x8c\x01a\x8c\x04pair\x93)R.', { pair: [] }],
    ['what is outside', 'K\x05Q.', { id: 5 }],
  ])('reads %s', (_, text, value) => {
    expect(run(text)).toEqual(value);
  });

  it('preserves the identity of lists', () => {
    const { items } = run(']q\x00h\x00\x86.') as Tuple;
    expect(items[0]).toBe(items[1]);
  });

  it('returns where a pickle ends', () => {
    expect(unpickle(bytesOf('xxK\x01.rest'), { table, start: 2 })).toEqual({ value: 1, end: 5 });
  });

  it.each<[string, string, string]>([
    ['an unknown function', 'cos\nsystem\nU\x02ls\x85R.', "the file calls 'os.system', which is not allowed"],
    ['one by a name on the stack', '\x8c\x02os\x8c\x06system\x93.', "calls 'os.system'"],
    ['a name of odd characters', 'cos\nsys\x1b[2Jtem\n.', 'calls \'"os.sys\\u001b[2Jtem"\''],
    ['an inherited name', 'c__proto__\nconstructor\n.', "calls '__proto__.constructor'"],
    ['a name without an end', `cos${'s'.repeat(600)}`, 'an unterminated name at byte 1'],
    ['a call of a number', 'K\x01)R.', 'calls something that is not callable'],
    ['another way to call', '(ios\nsystem\n.', 'byte 1 of a pickle is 0x69, an unsupported instruction'],
    ['a newer protocol', '\x80\x06.', 'has protocol 6, the latest supported is 5'],
    ['no end', '\x80\x02N', 'a pickle is truncated: expected 1 bytes from byte 3 on, it has 3'],
    ['a text longer than itself', 'X\xff\xff\xff\xffa.', 'expected 4294967295 bytes from byte 5 on'],
    ['one of 2^63 bytes', '\x8d\xff\xff\xff\xff\xff\xff\xff\x7fa.', 'expected 9223372036854'],
    ['a text that is none', 'U\x01aX\x01\0\0\0\xff.', 'a string that is not UTF-8'],
    ['a long integer', `\x8b\x41\0\0\0${'\x01'.repeat(65)}.`, 'an integer of 65 bytes, the limit is 64'],
    ['nothing to take', '.', 'pops from an empty stack'],
    ['a mark to take', '(.', 'pops from an empty stack'],
    ['no mark', 'K\x01t.', 'expects a mark on its stack, but there is none'],
    ['nothing kept', 'h\x05.', 'recalls value 5, which was never memoised'],
    ['a key without a value', '}(K\x01u.', 'sets a key without a value'],
    ['an item of a list', ']K\x01K\x02s.', 'sets an item of something other than a dict'],
    ['an append to a dict', '}K\x01a.', 'appends to something other than a list'],
    ['an element of a list', '](K\x01\x90.', 'adds to something other than a set'],
    ['attributes of a number', 'K\x01}b.', 'sets attributes of a value that cannot have any'],
  ])('refuses %s', (_, text, message) => {
    expect(() => run(text)).toThrow(WeightsError);
    expect(() => run(text)).toThrow(message);
  });

  it.each<[string, string, string]>([
    ['dicts', '', '}'],
    ['copies of one list', `](${'K\x01'.repeat(200)}e0`, '}'],
    ['marks', '', '('],
    ['kept values', 'N', '\x94'],
    ['doubled values', 'N', '2'],
    ['empty sets', '', '\x8f'],
  ])('limits the memory of %s', (_, begin, each) => {
    const times = 4 * 2 ** 20;
    const before = process.memoryUsage().heapUsed;
    expect(() => run(`${begin}${each.repeat(times)}.`)).toThrow('constructs more than 48 MB of objects');
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(128 * 2 ** 20);
  });

  it('limits the copies of a list made by calls', () => {
    const list = `](${'K\x01K\x02\x86'.repeat(20_000)}eq\x00`;
    const copies = 'ccollections\nOrderedDict\nh\x00\x85R'.repeat(1000);
    expect(() => unpickle(bytesOf(`${list}${copies}.`), torchTable())).toThrow('constructs more than 48 MB');
  });

  it('throws a WeightsError for arbitrary bytes and instructions', () => {
    const codes = [...'.(012NJKMGXTUBC)t]la}esudqrhjcQRb'].map((sign) => sign.charCodeAt(0));
    const later = [
      0x80, 0x81, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x91, 0x93,
    ];
    const names = ['collections\nOrderedDict', 'torch\nFloatStorage', 'torch._utils\n_rebuild_tensor_v2'];
    const instruction = fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...codes, ...later, 0x94, 0x95, 0x96).map((code) => [code]) },
      { weight: 2, arbitrary: fc.nat(3).map((value) => [0x4b, value]) },
      { weight: 2, arbitrary: fc.constantFrom(...names).map((name) => [...bytesOf(`c${name}\n`)]) },
      { weight: 1, arbitrary: fc.constant([...bytesOf('U\x07storage')]) },
      { weight: 1, arbitrary: fc.array(fc.nat(255), { maxLength: 4 }) },
    );
    let ended = 0;
    fc.assert(
      fc.property(fc.array(instruction, { maxLength: 60 }), (parts) => {
        try {
          unpickle(Uint8Array.from([...parts.flat(), 0x2e]), torchTable());
          ended++;
        } catch (error) {
          expect(error).toBeInstanceOf(WeightsError);
        }
      }),
      { numRuns: 5000 },
    );
    expect(ended).toBeGreaterThan(0);
  });
});
