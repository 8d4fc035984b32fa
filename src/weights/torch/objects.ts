/**
 * The objects that PyTorch's pickles may construct: a closed table of names; all others become placeholders. Tensors are only described; their values are elsewhere
 * in the file. Names: torch/_utils.py, torch/storage.py, torch/_weights_only_unpickler.py.
 */

import { type TensorData, WeightsError } from '../tensor-file.ts';
import { Constructor, type PickleTable, Placeholder, Tuple } from './pickle.ts';

export interface ElementType {
  readonly dtype: string;
  readonly bytes: number;
  readonly array: new (buffer: ArrayBuffer) => TensorData;
}

/** A storage, whose bytes are in the file under its key. */
export class TorchStorage {
  readonly key: string;
  /** PyTorch's name of the type; `undefined` if only the tensors have types. */
  readonly type: string | undefined;
  /** Number of elements, or of bytes if untyped. */
  readonly count: number;
  /** In elements. Only files written before PyTorch 0.4 have storages that are views of others. */
  readonly viewOffset: number;
  constructor(fields: Pick<TorchStorage, 'key' | 'type' | 'count'> & { viewOffset?: number }) {
    this.key = fields.key;
    this.type = fields.type;
    this.count = fields.count;
    this.viewOffset = fields.viewOffset ?? 0;
  }
}

export class TorchTensor {
  readonly storage: TorchStorage;
  /** PyTorch's name: `float32`. */
  readonly type: string | undefined;
  /** As in the file, unchecked. */
  readonly offset: unknown;
  readonly shape: unknown;
  readonly stride: unknown;
  constructor(fields: Pick<TorchTensor, 'storage' | 'type' | 'offset' | 'shape' | 'stride'>) {
    this.storage = fields.storage;
    this.type = fields.type;
    this.offset = fields.offset;
    this.shape = fields.shape;
    this.stride = fields.stride;
  }
}

/** A tensor of an unsupported kind. */
export class OtherTensor {
  readonly kind: string;
  constructor(kind: string) {
    this.kind = kind;
  }
}

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

/** By PyTorch's type names. */
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

/** Old files store storages in sequence, so that sizes of unsupported types are needed too. */
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

/** Types without a storage class; unsupported, but named in errors. */
const newerTypes = ['uint16', 'uint32', 'uint64', 'float8_e4m3fn', 'float8_e5m2', 'float8_e4m3fnuz'];

function rebuildTensor([storage, offset, shape, stride, , , type]: readonly unknown[]): TorchTensor {
  if (!(storage instanceof TorchStorage)) {
    throw new WeightsError('a tensor is constructed from something other than a storage');
  }
  return new TorchTensor({
    storage,
    type: type instanceof Type ? type.type : storage.type,
    offset,
    shape: shape instanceof Tuple ? shape.items : shape,
    stride: stride instanceof Tuple ? stride.items : stride,
  });
}

/** A parameter is represented by its tensor; requires_grad, hooks and attributes are ignored. */
function rebuildParameter([data]: readonly unknown[]): unknown {
  return data instanceof TorchTensor ? data : new OtherTensor('of an unknown kind');
}

/** A tensor with attributes: its constructor function and the arguments. */
function rebuildFromType([make, , args]: readonly unknown[]): unknown {
  const isRebuild = make instanceof Constructor && make.name.startsWith('torch._utils._rebuild');
  if (!(isRebuild && args instanceof Tuple))
    throw new WeightsError('a tensor is constructed by an unknown function');
  return make.make(args.items);
}

/** Python 2 passes the pairs of an OrderedDict as a list of lists. */
function makeDict([source]: readonly unknown[]): Map<unknown, unknown> {
  if (source === undefined) return new Map();
  // Not copied: in what Python writes, nothing else refers to the arguments of a call.
  if (source instanceof Map) return source;
  const pair = (value: unknown): [unknown, unknown] => {
    const items = value instanceof Tuple ? value.items : value;
    if (!Array.isArray(items) || items.length !== 2)
      throw new WeightsError('a dict is constructed from something other than pairs');
    return [items[0], items[1]];
  };
  if (!Array.isArray(source)) throw new WeightsError('a dict is constructed from something other than pairs');
  return new Map(source.map(pair));
}

const unsupported = (kind: string) => () => new OtherTensor(kind);

const functions: Readonly<Record<string, Constructor['make']>> = {
  'collections.OrderedDict': makeDict,
  'collections.Counter': makeDict,
  // Its argument is the class of missing items, which nothing here asks for.
  'collections.defaultdict': () => new Map(),
  'torch.Size': ([sizes]) => (sizes instanceof Tuple ? sizes : new Tuple([])),
  'torch._utils._rebuild_tensor': (args) => rebuildTensor(args.slice(0, 4)),
  'torch._utils._rebuild_tensor_v2': (args) => rebuildTensor(args.slice(0, 4)),
  'torch._utils._rebuild_tensor_v3': rebuildTensor,
  'torch._utils._rebuild_parameter': rebuildParameter,
  'torch._utils._rebuild_parameter_with_state': rebuildParameter,
  'torch._tensor._rebuild_from_type_v2': rebuildFromType,
  'torch._utils._rebuild_qtensor': unsupported('quantised'),
  'torch._utils._rebuild_sparse_tensor': unsupported('sparse'),
  'torch._utils._rebuild_meta_tensor_no_storage': unsupported('without values (on the meta device)'),
};

const globals: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ...Object.entries(functions).map(([name, make]) => [name, new Constructor(name, make)] as const),
  ...[...elementTypes.keys(), ...otherTypeBytes.keys(), ...newerTypes].map(
    (type) => [`torch.${type}`, new Type(type)] as const,
  ),
  // torch.cuda had its own classes.
  ...Object.entries(storageTypes).flatMap(([name, type]) =>
    ['torch', 'torch.cuda', 'torch.storage'].map(
      (module) => [`${module}.${name}`, new StorageType(type)] as const,
    ),
  ),
]);

export interface TorchTable {
  readonly table: PickleTable;
  /** The storages that the pickle names. */
  readonly storages: ReadonlyMap<string, TorchStorage>;
  /** Classes and functions outside of the table whose objects became placeholders. */
  readonly skipped: ReadonlySet<string>;
}

/**
 * The table for one pickle. What it does not know (NumPy arrays, dates, options, classes of one's own, `os.system`) is neither
 * imported nor called: a placeholder takes its place.
 */
export function torchTable(): TorchTable {
  const storages = new Map<string, TorchStorage>();
  const skipped = new Set<string>();
  const unknown = (name: string) =>
    new Constructor(name, () => {
      skipped.add(name);
      return new Placeholder(name);
    });
  const table: PickleTable = {
    global: (name) => globals.get(name) ?? unknown(name),
    persistent(id) {
      const storage = readStorage(id);
      const previous = storages.get(storage.key);
      if (previous && (previous.type !== storage.type || previous.count !== storage.count)) {
        throw new WeightsError(`storage '${storage.key}' is described twice, differently`);
      }
      storages.set(storage.key, previous ?? storage);
      return storage;
    },
  };
  return { table, storages, skipped };
}

/** `('storage', class, key, location, count)`, in old files followed by `None` or `(key, offset, count)` of a view. */
function readStorage(id: unknown): TorchStorage {
  const [tag, type, key, , count, view] = id instanceof Tuple ? id.items : [];
  if (tag !== 'storage' || !(type instanceof StorageType) || !isName(key) || !isCount(count)) {
    throw new WeightsError('the pickle refers to an external object that is not a storage');
  }
  const [, viewOffset = 0] = view instanceof Tuple ? view.items : [];
  if (!isCount(viewOffset)) throw new WeightsError(`storage '${key}' has an invalid offset`);
  return new TorchStorage({ key: String(key), type: type.type, count, viewOffset });
}

const isName = (key: unknown): key is string | number => typeof key === 'string' || typeof key === 'number';

export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
