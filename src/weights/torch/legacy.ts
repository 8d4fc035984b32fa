/**
 * PyTorch's files before 1.6: five pickles (a magic number, a version, the machine, the object, the keys of the storages), and
 * the storages one after another, each behind the count of its elements.
 * Format: `_legacy_save` of torch/serialization.py.
 */
import type { ByteSource } from '../byte-source.ts';
import { WeightsError } from '../tensor-file.ts';
import { mostPickleBytes } from './archive.ts';
import { elementTypes, otherTypeBytes, type TorchStorage, torchTable } from './objects.ts';
import { unpickle } from './pickle.ts';
import type { Storages } from './tensor.ts';

const magicNumber = 0x1950a86a20f9469cfc6cn;
const knownVersion = 1001;

/** @throws WeightsError that does not name the file. */
export async function openLegacyTorchFile(
  source: ByteSource,
): Promise<{ value: unknown; storages: Storages }> {
  const head = await source.read(0, Math.min(source.size, mostPickleBytes));
  let start = 0;
  const next = (table = torchTable().table): unknown => {
    const { value, end } = unpickle(head, { table, start });
    start = end;
    return value;
  };
  if (next() !== magicNumber) {
    throw new WeightsError(
      'it is a pickle, but not one that torch.save wrote; save the weights by torch.save',
    );
  }
  const version = next();
  if (version !== knownVersion) {
    throw new WeightsError(
      `its format has the version ${String(version).slice(0, 20)}, expected ${knownVersion}`,
    );
  }
  const machine = next();
  if (machine instanceof Map && machine.get('little_endian') === false) {
    throw new WeightsError(
      'its numbers are big-endian, only little-endian ones are read; load and save it on an ordinary machine',
    );
  }
  const { table, storages } = torchTable();
  const value = next(table);
  const keys = next();
  if (!Array.isArray(keys)) throw new WeightsError('expected a list of the keys of its storages');
  const places = await findStorages(source, { keys, storages, start });
  return {
    value,
    storages: {
      bytesOf: ({ key }) => places.get(key)?.bytes,
      positionOf: async ({ key }) => (places.get(key) as Place).position,
    },
  };
}

interface Place {
  readonly position: number;
  readonly bytes: number;
}

async function findStorages(
  source: ByteSource,
  {
    keys,
    storages,
    start,
  }: { keys: readonly unknown[]; storages: ReadonlyMap<string, TorchStorage>; start: number },
): Promise<ReadonlyMap<string, Place>> {
  const places = new Map<string, Place>();
  let at = start;
  for (const each of keys) {
    const key = String(typeof each === 'string' || typeof each === 'number' ? each : '?');
    const storage = storages.get(key);
    if (!storage || places.has(key)) {
      throw new WeightsError(
        `its list of storages has '${key.slice(0, 80)}', which no tensor names or which it had before`,
      );
    }
    const count = new DataView((await source.read(at, 8)).buffer).getBigInt64(0, true);
    const bytes = Number(count) * elementBytes(storage);
    if (!(count === BigInt(storage.count) && at + 8 + bytes <= source.size)) {
      throw new WeightsError(
        `storage '${key.slice(0, 80)}' has ${count} elements at byte ${at}, expected ${storage.count}, the file has ${source.size} bytes; was it copied whole?`,
      );
    }
    places.set(key, { position: at + 8, bytes });
    at += 8 + bytes;
  }
  return places;
}

const elementBytes = ({ type }: TorchStorage): number =>
  type === undefined ? 1 : (elementTypes.get(type)?.bytes ?? otherTypeBytes.get(type) ?? Number.NaN);
