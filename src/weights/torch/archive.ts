/**
 * PyTorch's files since 1.6: a ZIP archive of a pickle and one member per storage.
 * Format: torch/serialization.py, caffe2/serialize/inline_container.cc.
 */
import { fromRandomAccessReaderPromise, type ZipFile } from 'yauzl';
import type { ByteSource } from '../byte-source.ts';
import { WeightsError } from '../tensor-file.ts';
import { SourceReader } from '../zip-source.ts';
import { torchTable } from './objects.ts';
import { unpickle } from './pickle.ts';
import type { OpenPickle } from './state-dict.ts';

/** Limit of the pickle without values. Inception-v4's has 0.1 MB. */
export const maxPickleBytes = 16 * 2 ** 20;
const maxMembers = 200_000;

interface Member {
  readonly name: string;
  readonly size: number;
  readonly stored: boolean;
  /** Position of its local header. The values follow it, and only that header says how long it is. */
  readonly relativeOffsetOfLocalHeader: number;
}

/** @throws WeightsError that does not name the file. */
export async function openTorchArchive(source: ByteSource): Promise<OpenPickle> {
  const zip = await readingZip(() =>
    fromRandomAccessReaderPromise(new SourceReader(source), source.size, { autoClose: false }),
  );
  const members = await readMembers(zip);
  const root = findRoot(members);
  const positionOf = async (member: Member): Promise<number> => {
    if (!member.stored) {
      throw new WeightsError(
        `its member '${member.name}' is compressed or encrypted, which torch.save never does; extract the archive and repack it with zip -0`,
      );
    }
    const { fileDataStart } = await readingZip(() =>
      zip.readLocalFileHeaderPromise(member as never, { minimal: true }),
    );
    return fileDataStart;
  };
  const contentOf = async (member: Member, maxBytes: number): Promise<Uint8Array> => {
    if (member.size > maxBytes) {
      throw new WeightsError(
        `its member '${member.name}' has ${member.size} bytes, the limit is ${maxBytes}`,
      );
    }
    return source.read(await positionOf(member), member.size);
  };
  const order = members.get(`${root}/byteorder`);
  if (order) checkByteOrder(await contentOf(order, 16));
  const pickle = await contentOf(members.get(`${root}/data.pkl`) as Member, maxPickleBytes);
  const { table, skipped } = torchTable();
  const { value } = unpickle(pickle, { table });
  const memberOf = (key: string) => members.get(`${root}/data/${key}`);
  return {
    value,
    skipped,
    storages: {
      bytesOf: ({ key }) => memberOf(key)?.size,
      // Checksums are not compared: torch.save can omit them, and torch.load ignores them.
      positionOf: ({ key }) => positionOf(memberOf(key) as Member),
    },
  };
}

function checkByteOrder(content: Uint8Array): void {
  const order = Buffer.from(content).toString('latin1');
  if (order === 'little') return;
  throw new WeightsError(
    `its numbers are ${JSON.stringify(order)}-endian, only little-endian is supported; load it and save it again on a little-endian machine`,
  );
}

/** What else is a ZIP archive, by names of its members. */
const otherArchives: readonly (readonly [RegExp, string])[] = [
  [
    /(^|\/)(archive_format|models\/[^/]+\.json|serialized_exported_program\.json)$/,
    'it is a program of torch.export (.pt2), not a weights file; save the weights with torch.save(model.state_dict(), path)',
  ],
  [
    /^[^/]+\.npy$/,
    'it is an archive of NumPy arrays (.npz), whose names and layout nobody fixes; save the weights as safetensors: safetensors.numpy.save_file(dict(numpy.load(path)), path)',
  ],
];

/** All members are in one folder, which torch names after the file. */
function findRoot(members: ReadonlyMap<string, Member>): string {
  const names = [...members.keys()];
  const script = names.find((name) => /^[^/]+\/(constants\.pkl|code\/.*)$/.test(name));
  if (script !== undefined) {
    throw new WeightsError(
      'it is a TorchScript program, not a weights file; load it with torch.jit.load and save it with torch.save(model.state_dict(), path)',
    );
  }
  const other = otherArchives.find(([pattern]) => names.some((name) => pattern.test(name)));
  if (other) throw new WeightsError(other[1]);
  const roots = names.flatMap((name) => /^([^/]+)\/data\.pkl$/.exec(name)?.[1] ?? []);
  if (roots.length !== 1) {
    throw new WeightsError(
      `expected one member named data.pkl, the ZIP archive has ${roots.length}; it was not written by torch.save`,
    );
  }
  return roots[0] as string;
}

async function readMembers(zip: ZipFile): Promise<ReadonlyMap<string, Member>> {
  return readingZip(async () => {
    const members = new Map<string, Member>();
    for await (const entry of zip.eachEntry()) {
      const { fileName: name, uncompressedSize: size, relativeOffsetOfLocalHeader } = entry;
      if (members.has(name)) throw new WeightsError(`it has two members '${name}'`);
      if (members.size === maxMembers) throw new WeightsError(`it has more than ${maxMembers} members`);
      const stored = entry.compressionMethod === 0 && (entry.generalPurposeBitFlag & 1) === 0;
      members.set(name, { name, size, stored, relativeOffsetOfLocalHeader });
    }
    return members;
  });
}

/** Every error of yauzl is about the file. */
async function readingZip<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof WeightsError) throw error;
    throw new WeightsError(
      `cannot be read as a ZIP archive (${(error as Error).message}); is the file complete?`,
      { cause: error },
    );
  }
}
