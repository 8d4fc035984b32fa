/** Keras 3's archives (`.keras`): a ZIP file of the model's configuration and, as one member, an HDF5 file of its weights. */
import { fromRandomAccessReaderPromise } from 'yauzl';
import { namingFile, openByteSource } from '../byte-source.ts';
import { type TensorFile, WeightsError } from '../tensor-file.ts';
import { SourceReader } from '../zip-source.ts';
import { openH5File } from './h5-file.ts';

const weightsName = 'model.weights.h5';
const configName = 'config.json';

/** Inception-ResNet-v2's configuration has 0.7 MB. */
const maxConfigBytes = 16 * 2 ** 20;
/** Keras writes three or four, and assets of a model's own. */
const maxMembers = 1000;

interface Member {
  readonly offset: number;
  readonly size: number;
}

/** Opens the weights where they lie in the archive. @throws WeightsError naming the file and the problem. */
export async function openKerasArchive(path: string): Promise<TensorFile> {
  const { weights, config } = await namingFile(path, () => readMembers(path));
  const file = await openH5File(path, weights);
  return config === undefined
    ? file
    : { ...file, metadata: new Map([...file.metadata, ['model_config', config]]) };
}

async function readMembers(path: string): Promise<{ weights: Member; config: string | undefined }> {
  const source = await openByteSource(path);
  try {
    const zip = await fromRandomAccessReaderPromise(new SourceReader(source), source.size, {
      autoClose: false,
    });
    const found = new Map<string, Member>();
    let count = 0;
    for await (const entry of zip.eachEntry()) {
      if (++count > maxMembers) throw new WeightsError(`it has more than ${maxMembers} members`);
      const { fileName: name, uncompressedSize: size, compressionMethod, generalPurposeBitFlag } = entry;
      if (name !== weightsName && name !== configName) continue;
      if (found.has(name)) throw new WeightsError(`it has two members '${name}'`);
      if (compressionMethod !== 0 || (generalPurposeBitFlag & 1) !== 0)
        throw new WeightsError(
          `its member '${name}' is compressed or encrypted, which Keras never does; unzip it and import '${weightsName}'`,
        );
      const { fileDataStart: offset } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
      if (offset + size > source.size)
        throw new WeightsError(`its member '${name}' extends beyond the file; is the file complete?`);
      found.set(name, { offset, size });
    }
    const weights = found.get(weightsName);
    if (!weights) throw new WeightsError(`expected a member '${weightsName}' in a Keras archive`);
    const config = found.get(configName);
    if (config && config.size > maxConfigBytes)
      throw new WeightsError(`its '${configName}' has ${config.size} bytes, the limit is ${maxConfigBytes}`);
    const text = config && new TextDecoder().decode(await source.read(config.offset, config.size));
    return { weights, config: text };
  } catch (error) {
    if (error instanceof WeightsError) throw error;
    throw new WeightsError(
      `cannot be read as a ZIP archive (${(error as Error).message}); is the file complete?`,
      { cause: error },
    );
  } finally {
    await source.close();
  }
}
