/**
 * What pickles of PyTorch may make: the closed table of names. Tensors are described, their values stand elsewhere in the file.
 * Names: torch/_utils.py, torch/storage.py, torch/_weights_only_unpickler.py.
 */

import { type TensorData, WeightsError } from '../tensor-file.ts';
import { Constructor, type PickleTable, Tuple } from './pickle.ts';

export interface ElementType {
  readonly dtype: string;
  readonly bytes: number;
  readonly array: new (buffer: ArrayBuffer) => TensorData;
}

/** Its bytes stand in the file, under its key. */
export class TorchStorage {
  readonly key: string;
  /** PyTorch's name; `undefined` if the tensors say it. */
  readonly type: string | undefined;
  /** In elements of its type; untyped: in bytes. */
  readonly count: number;
  /** In elements. Only files of PyTorch before 0.4 have storages that are views of others. */
  readonly viewOffset: number;
  constructor(of: Pick<TorchStorage, 'key' | 'type' | 'count'> & { viewOffset?: number }) {
    this.key = of.key;
    this.type = of.type;
    this.count = of.count;
    this.viewOffset = of.viewOffset ?? 0;
  }
}

export class TorchTensor {
  readonly storage: TorchStorage;
  /** PyTorch's name: `float32`. */
  readonly type: string | undefined;
  /** As the file says, unchecked. */
  readonly offset: unknown;
  readonly shape: unknown;
  readonly stride: unknown;
  constructor(of: Pick<TorchTensor, 'storage' | 'type' | 'offset' | 'shape' | 'stride'>) {
    this.storage = of.storage;
    this.type = of.type;
    this.offset = of.offset;
    this.shape = of.shape;
    this.stride = of.stride;
  }
}

/** A tensor of a kind that is not read. */
export class OtherTensor {
  readonly kind: string;
  constructor(kind: string) {
    this.kind = kind;
  }
}

/** Something beside the weights that is known to be harmless, and not looked into. */
class Ignored {}
class StorageType {
  readonly type: string | undefined;
  constructor(type: string | undefined) {
    this.type = type;
  }
}
class Type {
  readonly type: string;
  constructor(type: string) {
    this.type = type;
  }
}

const ignored = new Ignored();

/** By PyTorch's names of types. */
export const elementTypes: ReadonlyMap<string, ElementType> = new Map<string, ElementType>([
  ['float32', { dtype: 'F32', bytes: 4, array: Float32Array }],
  ['float64', { dtype: 'F64', bytes: 8, array: Float64Array }],
  ['float16', { dtype: 'F16', bytes: 2, array: Uint16Array }],
  ['bfloat16', { dtype: 'BF16', bytes: 2, array: Uint16Array }],
  ['int64', { dtype: 'I64', bytes: 8, array: BigInt64Array }],
  ['int32', { dtype: 'I32', bytes: 4, array: Int32Array }],
  ['int16', { dtype: 'I16', bytes: 2, array: Uint8Array }],
  ['int8', { dtype: 'I8', bytes: 1, array: Uint8Array }],
  ['uint8', { dtype: 'U8', bytes: 1, array: Uint8Array }],
  ['bool', { dtype: 'BOOL', bytes: 1, array: Uint8Array }],
]);

/** Storages stand one after another in old files, so also the sizes of those that are not read are needed. */
export const otherTypeBytes: ReadonlyMap<string, number> = new Map([
  ['complex64', 8],
  ['complex128', 16],
  ['qint8', 1],
  ['quint8', 1],
  ['qint32', 4],
  ['quint4x2', 1],
  ['quint2x4', 1],
]);

const storageTypes: Readonly<Record<string, string | undefined>> = {
  FloatStorage: 'float32',
  DoubleStorage: 'float64',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
  ComplexFloatStorage: 'complex64',
  ComplexDoubleStorage: 'complex128',
  QInt8Storage: 'qint8',
  QUInt8Storage: 'quint8',
  QInt32Storage: 'qint32',
  QUInt4x2Storage: 'quint4x2',
  QUInt2x4Storage: 'quint2x4',
  UntypedStorage: undefined,
};

/** Those without a class of storages; refused, but by their names. */
const newerTypes = ['uint16', 'uint32', 'uint64', 'float8_e4m3fn', 'float8_e5m2', 'float8_e4m3fnuz'];

/** Things that stand beside the weights of a training: options, schedules, best results. Made of nothing, called by nobody. */
const ignoredNames = [
  'argparse.Namespace',
  'pathlib.PosixPath',
  'pathlib.WindowsPath',
  'numpy.core.multiarray.scalar',
  'numpy._core.multiarray.scalar',
  'numpy.dtype',
  '_codecs.encode',
  'torch.device',
  'torch.serialization._get_layout',
  ...['builtins', '__builtin__'].flatMap((module) =>
    ['set', 'frozenset', 'complex', 'bytearray'].map((name) => `${module}.${name}`),
  ),
];

/** Passed on as arguments. */
const tokens = [
  'torch.Tensor',
  'torch.nn.parameter.Parameter',
  'torch.per_tensor_affine',
  'torch.per_channel_affine',
  'torch.per_tensor_symmetric',
  'torch.per_channel_symmetric',
  'torch.per_channel_affine_float_qparams',
];

function rebuildTensor([storage, offset, shape, stride, , , type]: readonly unknown[]): TorchTensor {
  if (!(storage instanceof TorchStorage)) {
    throw new WeightsError('a tensor is made of something that is no storage');
  }
  return new TorchTensor({
    storage,
    type: type instanceof Type ? type.type : storage.type,
    offset,
    shape: shape instanceof Tuple ? shape.items : shape,
    stride: stride instanceof Tuple ? stride.items : stride,
  });
}

/** A parameter is its tensor; whether it is trained, its hooks and its attributes are no values. */
function rebuildParameter([data]: readonly unknown[]): unknown {
  return data instanceof TorchTensor ? data : new OtherTensor('of an unknown kind');
}

/** A tensor with attributes: the function that makes it, and its arguments. */
function rebuildFromType([make, , args]: readonly unknown[]): unknown {
  const known = make instanceof Constructor && make.name.startsWith('torch._utils._rebuild');
  if (!(known && args instanceof Tuple)) throw new WeightsError('a tensor is made by what makes none');
  return make.make(args.items);
}

/** Python 2 gives the pairs of an OrderedDict as a list of lists. */
function makeDict([from]: readonly unknown[]): Map<unknown, unknown> {
  if (from === undefined) return new Map();
  // Taken over, not copied: the arguments of a call are nobody else's in what Python writes.
  if (from instanceof Map) return from;
  const pair = (value: unknown): [unknown, unknown] => {
    const items = value instanceof Tuple ? value.items : value;
    if (!Array.isArray(items) || items.length !== 2) throw new WeightsError('a dict is made of no pairs');
    return [items[0], items[1]];
  };
  if (!Array.isArray(from)) throw new WeightsError('a dict is made of no pairs');
  return new Map(from.map(pair));
}

const other = (kind: string) => () => new OtherTensor(kind);

const functions: Readonly<Record<string, Constructor['make']>> = {
  'collections.OrderedDict': makeDict,
  'collections.Counter': makeDict,
  'torch.Size': ([sizes]) => (sizes instanceof Tuple ? sizes : new Tuple([])),
  'torch._utils._rebuild_tensor': (args) => rebuildTensor(args.slice(0, 4)),
  'torch._utils._rebuild_tensor_v2': (args) => rebuildTensor(args.slice(0, 4)),
  'torch._utils._rebuild_tensor_v3': rebuildTensor,
  'torch._utils._rebuild_parameter': rebuildParameter,
  'torch._utils._rebuild_parameter_with_state': rebuildParameter,
  'torch._tensor._rebuild_from_type_v2': rebuildFromType,
  'torch._utils._rebuild_qtensor': other('quantised'),
  'torch._utils._rebuild_sparse_tensor': other('sparse'),
  'torch._utils._rebuild_meta_tensor_no_storage': other('without values (on the meta device)'),
};

const globals: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ...Object.entries(functions).map(([name, make]) => [name, new Constructor(name, make)] as const),
  ...ignoredNames.map((name) => [name, new Constructor(name, () => ignored)] as const),
  ...tokens.map((name) => [name, ignored] as const),
  ...[...elementTypes.keys(), ...otherTypeBytes.keys(), ...newerTypes].map(
    (type) => [`torch.${type}`, new Type(type)] as const,
  ),
  // torch.cuda had classes of its own.
  ...Object.entries(storageTypes).flatMap(([name, type]) =>
    ['torch', 'torch.cuda', 'torch.storage'].map(
      (module) => [`${module}.${name}`, new StorageType(type)] as const,
    ),
  ),
]);

/** The table for one pickle, and the storages that it names. */
export function torchTable(): { table: PickleTable; storages: ReadonlyMap<string, TorchStorage> } {
  const storages = new Map<string, TorchStorage>();
  const table: PickleTable = {
    global: (name) => globals.get(name),
    persistent(id) {
      const storage = readStorage(id);
      const before = storages.get(storage.key);
      if (before && (before.type !== storage.type || before.count !== storage.count)) {
        throw new WeightsError(`storage '${storage.key}' is described in two ways`);
      }
      storages.set(storage.key, before ?? storage);
      return storage;
    },
  };
  return { table, storages };
}

/** `('storage', class, key, location, count)`, in old files followed by `None` or `(key, offset, count)` of a view. */
function readStorage(id: unknown): TorchStorage {
  const [what, type, key, , count, view] = id instanceof Tuple ? id.items : [];
  if (what !== 'storage' || !(type instanceof StorageType) || !isName(key) || !isCount(count)) {
    throw new WeightsError('the file refers to something outside its pickle that is no storage');
  }
  const [, viewOffset = 0] = view instanceof Tuple ? view.items : [];
  if (!isCount(viewOffset)) throw new WeightsError(`storage '${key}' begins at no number`);
  return new TorchStorage({ key: String(key), type: type.type, count, viewOffset });
}

const isName = (key: unknown): key is string | number => typeof key === 'string' || typeof key === 'number';

export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
