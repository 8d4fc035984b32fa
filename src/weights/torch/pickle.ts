/**
 * Reads Python's pickles as data. A pickle is a program for a stack machine, which in Python may call anything that can be
 * imported. This machine supports the instructions that construct data, and calls only what its caller's table contains.
 * Instructions: Lib/pickletools.py of CPython. Those of protocol 0 (text) and other ways of calling are not supported.
 *
 * None is null, dicts are Maps, lists arrays, tuples Tuples, sets Sets; integers beyond 2^53 are bigints.
 */

import { WeightsError } from '../tensor-file.ts';
import { PickleReader } from './pickle-reader.ts';

export class Tuple {
  readonly items: readonly unknown[];
  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

/** A class or function that a pickle may call, with its equivalent here. */
export class Constructor {
  readonly name: string;
  readonly make: (args: readonly unknown[]) => unknown;
  constructor(name: string, make: Constructor['make']) {
    this.name = name;
    this.make = make;
  }
}

/**
 * Stands for an object of a class that is not in the table. Nothing of it is constructed or called: items are dropped, and the
 * attributes are kept as data.
 */
export class Placeholder {
  readonly className: string;
  attributes: unknown;
  constructor(className: string) {
    this.className = className;
  }
}

export interface PickleTable {
  /** A Constructor; undefined for a name that refuses the pickle. */
  global(name: string): unknown;
  /** An object outside the pickle, by its id. */
  persistent(id: unknown): unknown;
}

/** Memory limit for the constructed values, by the estimates below: a byte of a pickle can ask for a hundred. */
const maxMemory = 48 * 2 ** 20;
const memoryCosts = { slot: 32, memo: 64, item: 64, list: 64, map: 256, string: 48 };

const mark = Symbol('mark');
/**
 * Runs the pickle that begins at `start`.
 * @returns its value, and where it ends.
 * @throws WeightsError that does not name the file.
 */
export function unpickle(
  bytes: Uint8Array,
  { table, start = 0 }: { table: PickleTable; start?: number },
): { value: unknown; end: number } {
  const machine = new Machine(bytes, table, start);
  while (!machine.stopped) machine.step();
  return { value: machine.pop(), end: machine.position };
}

type Instruction = (machine: Machine) => void;

class Machine extends PickleReader {
  stopped = false;
  readonly #table: PickleTable;
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();
  #memoryLeft = maxMemory;

  constructor(bytes: Uint8Array, table: PickleTable, start: number) {
    super(bytes, start);
    this.#table = table;
  }

  step(): void {
    const start = this.position;
    const code = this.uint(1);
    const instruction = instructions[code];
    if (!instruction) {
      throw new WeightsError(
        `byte ${start} of a pickle is 0x${code.toString(16).padStart(2, '0')}, an unsupported instruction; save the file again with a current version of torch`,
      );
    }
    instruction(this);
  }

  spend(memory: number): void {
    this.#memoryLeft -= memory;
    if (this.#memoryLeft < 0) {
      throw new WeightsError(
        `a pickle constructs more than ${maxMemory / 2 ** 20} MB of objects, not counting the tensors' values; save only the state_dict`,
      );
    }
  }

  push(value: unknown): void {
    this.spend(memoryCosts.slot);
    this.#stack.push(value);
  }

  pushMap(): void {
    this.spend(memoryCosts.map);
    this.push(new Map());
  }

  pushList(items: unknown[]): void {
    this.spend(memoryCosts.list + items.length * memoryCosts.slot);
    this.push(items);
  }

  pushTuple(items: readonly unknown[]): void {
    this.spend(memoryCosts.list + items.length * memoryCosts.slot);
    this.push(new Tuple(items));
  }

  pop(): unknown {
    const value = this.top();
    this.#stack.pop();
    this.#memoryLeft += memoryCosts.slot;
    return value;
  }

  top(): unknown {
    const value = this.#stack.at(-1);
    if (this.#stack.length === 0 || value === mark) {
      throw new WeightsError('a pickle pops from an empty stack');
    }
    return value;
  }

  popMany(count: number): unknown[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }

  pushMark(): void {
    this.push(mark);
  }

  /** Everything above the last mark; the mark is removed too. */
  popToMark(): unknown[] {
    const markIndex = this.#stack.lastIndexOf(mark);
    if (markIndex < 0) throw new WeightsError('a pickle expects a mark on its stack, but there is none');
    const items = this.#stack.splice(markIndex);
    this.#memoryLeft += items.length * memoryCosts.slot;
    items.shift();
    return items;
  }

  pushBytes(length: number): void {
    this.spend(memoryCosts.map);
    this.push(this.bytes(length));
  }

  pushText(length: number): void {
    const text = this.text(length);
    this.spend(memoryCosts.string + 2 * length);
    this.push(text);
  }

  /** Python 2's str, of bytes or text: one character per byte. */
  pushByteString(length: number): void {
    const text = this.latin1(length);
    this.spend(memoryCosts.string + length);
    this.push(text);
  }

  remember(index: number): void {
    this.spend(memoryCosts.memo);
    this.#memo.set(index, this.top());
  }

  rememberNext(): void {
    this.remember(this.#memo.size);
  }

  recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined)
      throw new WeightsError(`a pickle recalls value ${index}, which was never memoised`);
    this.push(value);
  }

  pushGlobal(module: unknown, name: unknown): void {
    const path = `${typeof module === 'string' ? module : '?'}.${typeof name === 'string' ? name : '?'}`;
    // A name may cost an object of its own.
    this.spend(memoryCosts.map + 2 * path.length);
    const value = this.#table.global(path);
    if (value === undefined) throw unknownGlobal(path);
    this.push(value);
  }

  pushPersistent(): void {
    this.spend(memoryCosts.map);
    this.push(this.#table.persistent(this.pop()));
  }

  call(): void {
    const args = this.pop();
    const callee = this.pop();
    if (callee instanceof Placeholder && args instanceof Tuple) {
      this.push(callee);
      return;
    }
    if (!(callee instanceof Constructor && args instanceof Tuple)) {
      throw new WeightsError('a pickle calls something that is not callable');
    }
    const [first] = args.items;
    // The result may copy a list.
    this.spend(memoryCosts.map + (Array.isArray(first) ? first.length * memoryCosts.item : 0));
    this.push(callee.make(args.items));
  }

  setItems(pairs: readonly unknown[]): void {
    const map = this.top();
    if (map instanceof Placeholder) return;
    if (!(map instanceof Map)) throw new WeightsError('a pickle sets an item of something other than a dict');
    if (pairs.length % 2 !== 0) throw new WeightsError('a pickle sets a key without a value');
    this.spend(pairs.length * memoryCosts.item);
    for (let index = 0; index < pairs.length; index += 2) map.set(pairs[index], pairs[index + 1]);
  }

  append(items: readonly unknown[]): void {
    const list = this.top();
    if (list instanceof Placeholder) return;
    if (!Array.isArray(list)) throw new WeightsError('a pickle appends to something other than a list');
    this.spend(items.length * memoryCosts.slot);
    for (const item of items) list.push(item);
  }

  addItems(items: readonly unknown[]): void {
    const set = this.top();
    if (set instanceof Placeholder) return;
    if (!(set instanceof Set)) throw new WeightsError('a pickle adds to something other than a set');
    this.spend(items.length * memoryCosts.item);
    for (const item of items) set.add(item);
  }

  /** Attributes (such as a state_dict's `_metadata`) are ignored, except those of placeholders. */
  setState(): void {
    const state = this.pop();
    const target = this.top();
    if (target instanceof Placeholder) target.attributes = state;
    if (typeof target !== 'object' || target === null || target instanceof Tuple || Array.isArray(target)) {
      throw new WeightsError('a pickle sets attributes of a value that cannot have any');
    }
  }

  checkProtocol(): void {
    const protocol = this.uint(1);
    if (protocol > 5) throw new WeightsError(`a pickle has protocol ${protocol}, the latest supported is 5`);
  }
}

function unknownGlobal(path: string): WeightsError {
  const name = /^[\w.]{1,200}$/.test(path) ? path : JSON.stringify(path.slice(0, 200));
  return new WeightsError(
    `the file calls '${name}', which is not allowed; if it contains a whole model or a training state, save only the weights: torch.save(model.state_dict(), path)`,
  );
}

/** Indexed by opcode. */
const instructions: readonly (Instruction | undefined)[] = bySign({
  // Control
  '\x80': (m) => m.checkProtocol(),
  '\x95': (m) => m.take(8), // a frame, whose length is not needed
  '.': (m) => {
    m.stopped = true;
  },
  '(': (m) => m.pushMark(),
  '0': (m) => m.pop(),
  '1': (m) => m.popToMark(),
  '2': (m) => m.push(m.top()),
  // Constants
  N: (m) => m.push(null),
  '\x88': (m) => m.push(true),
  '\x89': (m) => m.push(false),
  J: (m) => m.push(m.int32()),
  K: (m) => m.push(m.uint(1)),
  M: (m) => m.push(m.uint(2)),
  G: (m) => m.push(m.float64()),
  '\x8a': (m) => m.push(m.integer(m.uint(1))),
  '\x8b': (m) => m.push(m.integer(m.uint(4))),
  // Strings and bytes
  X: (m) => m.pushText(m.uint(4)),
  '\x8c': (m) => m.pushText(m.uint(1)),
  '\x8d': (m) => m.pushText(m.length64()),
  T: (m) => m.pushByteString(m.uint(4)),
  U: (m) => m.pushByteString(m.uint(1)),
  B: (m) => m.pushBytes(m.uint(4)),
  C: (m) => m.pushBytes(m.uint(1)),
  '\x8e': (m) => m.pushBytes(m.length64()),
  '\x96': (m) => m.pushBytes(m.length64()),
  // Collections
  ')': (m) => m.pushTuple([]),
  t: (m) => m.pushTuple(m.popToMark()),
  '\x85': (m) => m.pushTuple(m.popMany(1)),
  '\x86': (m) => m.pushTuple(m.popMany(2)),
  '\x87': (m) => m.pushTuple(m.popMany(3)),
  ']': (m) => m.pushList([]),
  l: (m) => m.pushList(m.popToMark()),
  a: (m) => m.append([m.pop()]),
  e: (m) => m.append(m.popToMark()),
  '}': (m) => m.pushMap(),
  s: (m) => m.setItems(m.popMany(2)),
  u: (m) => m.setItems(m.popToMark()),
  d: (m) => {
    const pairs = m.popToMark();
    m.pushMap();
    m.setItems(pairs);
  },
  '\x8f': (m) => {
    m.spend(memoryCosts.map);
    m.push(new Set());
  },
  '\x90': (m) => m.addItems(m.popToMark()),
  '\x91': (m) => {
    const items = m.popToMark();
    m.spend(memoryCosts.map);
    m.push(new Set());
    m.addItems(items);
  },
  // The memo
  q: (m) => m.remember(m.uint(1)),
  r: (m) => m.remember(m.uint(4)),
  '\x94': (m) => m.rememberNext(),
  h: (m) => m.recall(m.uint(1)),
  j: (m) => m.recall(m.uint(4)),
  // Objects from the table
  c: (m) => m.pushGlobal(m.line(), m.line()),
  '\x93': (m) => {
    const [module, name] = m.popMany(2);
    m.pushGlobal(module, name);
  },
  Q: (m) => m.pushPersistent(),
  R: (m) => m.call(),
  '\x81': (m) => m.call(),
  '\x92': (m) => {
    m.pop(); // keyword arguments
    m.call();
  },
  b: (m) => m.setState(),
});

function bySign(table: Readonly<Record<string, Instruction>>): (Instruction | undefined)[] {
  const list: (Instruction | undefined)[] = new Array(256).fill(undefined);
  for (const [sign, instruction] of Object.entries(table)) list[sign.charCodeAt(0)] = instruction;
  return list;
}
