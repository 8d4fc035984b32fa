/**
 * PyTorch's files since 1.6: a ZIP archive of a pickle and of one member for each storage.
 * Format: torch/serialization.py, caffe2/serialize/inline_container.cc.
 */
import { fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl';
import type { ByteSource } from '../byte-source.ts';
import { WeightsError } from '../tensor-file.ts';
import { torchTable } from './objects.ts';
import { unpickle } from './pickle.ts';
import type { Storages } from './tensor.ts';

/** Of the objects alone. That of Inception-v4 has 0.1 MB. */
export const mostPickleBytes = 16 * 2 ** 20;
const mostMembers = 200_000;

interface Member {
  readonly name: string;
  readonly size: number;
  readonly stored: boolean;
  /** Where its local header is. The values follow it, but only that header says how long it is. */
  readonly relativeOffsetOfLocalHeader: number;
}

/** @throws WeightsError that does not name the file. */
export async function openTorchArchive(source: ByteSource): Promise<{ value: unknown; storages: Storages }> {
  const zip = await readingZip(() =>
    fromRandomAccessReaderPromise(new SourceReader(source), source.size, { autoClose: false }),
  );
  const members = await readMembers(zip);
  const root = findRoot(members);
  const positionOf = async (member: Member): Promise<number> => {
    if (!member.stored) {
      throw new WeightsError(
        `its member '${member.name}' is compressed or encrypted, torch.save does neither; extract the archive and pack it by zip -0`,
      );
    }
    const { fileDataStart } = await readingZip(() =>
      zip.readLocalFileHeaderPromise(member as never, { minimal: true }),
    );
    return fileDataStart;
  };
  const contentOf = async (member: Member, mostBytes: number): Promise<Uint8Array> => {
    if (member.size > mostBytes) {
      throw new WeightsError(
        `its member '${member.name}' has ${member.size} bytes, at most ${mostBytes} are allowed`,
      );
    }
    return source.read(await positionOf(member), member.size);
  };
  const order = members.get(`${root}/byteorder`);
  if (order) checkByteOrder(await contentOf(order, 16));
  const pickle = await contentOf(members.get(`${root}/data.pkl`) as Member, mostPickleBytes);
  const { value } = unpickle(pickle, torchTable());
  const memberOf = (key: string) => members.get(`${root}/data/${key}`);
  return {
    value,
    storages: {
      bytesOf: ({ key }) => memberOf(key)?.size,
      // No checksum is compared: torch.save can be told to write none, and torch.load looks at none.
      positionOf: ({ key }) => positionOf(memberOf(key) as Member),
    },
  };
}

function checkByteOrder(content: Uint8Array): void {
  const order = Buffer.from(content).toString('latin1');
  if (order === 'little') return;
  throw new WeightsError(
    `its numbers are ${JSON.stringify(order)}-endian, only little-endian ones are read; load and save it on an ordinary machine`,
  );
}

/** All members lie in one folder, which torch names after the file. */
function findRoot(members: ReadonlyMap<string, Member>): string {
  const names = [...members.keys()];
  const script = names.find((name) => /^[^/]+\/(constants\.pkl|code\/.*)$/.test(name));
  if (script !== undefined) {
    throw new WeightsError(
      'it is a TorchScript program, not a file of weights; load it by torch.jit.load and save torch.save(model.state_dict(), path)',
    );
  }
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
      if (members.size === mostMembers) throw new WeightsError(`it has more than ${mostMembers} members`);
      const stored = entry.compressionMethod === 0 && (entry.generalPurposeBitFlag & 1) === 0;
      members.set(name, { name, size, stored, relativeOffsetOfLocalHeader });
    }
    return members;
  });
}

/** All errors of yauzl's are about the file. */
async function readingZip<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof WeightsError) throw error;
    throw new WeightsError(
      `cannot be read as a ZIP archive (${(error as Error).message}); was it copied whole?`,
      { cause: error },
    );
  }
}

/** yauzl's way of reading, on our source, which checks ranges and stays open. */
class SourceReader extends RandomAccessReader {
  readonly #source: ByteSource;
  constructor(source: ByteSource) {
    super();
    this.#source = source;
  }
  override read(
    ...[buffer, offset, length, position, callback]: Parameters<RandomAccessReader['read']>
  ): void {
    this.#source.read(position, length).then(
      (bytes) => {
        buffer.set(bytes, offset);
        callback(null);
      },
      (error: Error) => callback(error),
    );
  }
}
