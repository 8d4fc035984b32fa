/**
 * PyTorch's files before 1.6: five pickles (a magic number, a version, the machine, the object, the keys of the storages), then
 * the storages in sequence, each preceded by the count of its elements.
 * Format: `_legacy_save` of torch/serialization.py.
 */
import type { ByteSource } from '../byte-source.ts';
import { WeightsError } from '../tensor-file.ts';
import { maxPickleBytes } from './archive.ts';
import { elementTypes, otherTypeBytes, type TorchStorage, torchTable } from './objects.ts';
import { unpickle } from './pickle.ts';
import type { OpenPickle } from './state-dict.ts';

const magicNumber = 0x1950a86a20f9469cfc6cn;
const knownVersion = 1001;

/** @throws WeightsError that does not name the file. */
export async function openLegacyTorchFile(source: ByteSource): Promise<OpenPickle> {
  const head = await source.read(0, Math.min(source.size, maxPickleBytes));
  let start = 0;
  const next = (table = torchTable().table): unknown => {
    const { value, end } = unpickle(head, { table, start });
    start = end;
    return value;
  };
  if (next() !== magicNumber) {
    throw new WeightsError(
      'it is a pickle, but was not written by torch.save; save the weights with torch.save',
    );
  }
  const version = next();
  if (version !== knownVersion) {
    throw new WeightsError(
      `its format has version ${String(version).slice(0, 20)}, expected ${knownVersion}`,
    );
  }
  const machine = next();
  if (machine instanceof Map && machine.get('little_endian') === false) {
    throw new WeightsError(
      'its numbers are big-endian, only little-endian is supported; load it and save it again on a little-endian machine',
    );
  }
  const { table, storages, skipped } = torchTable();
  const value = next(table);
  const keys = next();
  if (!Array.isArray(keys)) throw new WeightsError('expected a list of the keys of its storages');
  const locations = await findStorages(source, { keys, storages, start });
  return {
    value,
    skipped,
    storages: {
      bytesOf: ({ key }) => locations.get(key)?.bytes,
      positionOf: async ({ key }) => (locations.get(key) as StorageLocation).position,
    },
  };
}

interface StorageLocation {
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
): Promise<ReadonlyMap<string, StorageLocation>> {
  const locations = new Map<string, StorageLocation>();
  let position = start;
  for (const entry of keys) {
    const key = String(typeof entry === 'string' || typeof entry === 'number' ? entry : '?');
    const storage = storages.get(key);
    if (!storage || locations.has(key)) {
      throw new WeightsError(
        `its list of storages contains '${key.slice(0, 80)}', which is unknown or a duplicate`,
      );
    }
    const count = new DataView((await source.read(position, 8)).buffer).getBigInt64(0, true);
    const bytes = Number(count) * elementBytes(storage);
    if (!(count === BigInt(storage.count) && position + 8 + bytes <= source.size)) {
      throw new WeightsError(
        `storage '${key.slice(0, 80)}' has ${count} elements at byte ${position}, expected ${storage.count}, the file has ${source.size} bytes; is the file complete?`,
      );
    }
    locations.set(key, { position: position + 8, bytes });
    position += 8 + bytes;
  }
  return locations;
}

const elementBytes = ({ type }: TorchStorage): number =>
  type === undefined ? 1 : (elementTypes.get(type)?.bytes ?? otherTypeBytes.get(type) ?? Number.NaN);
