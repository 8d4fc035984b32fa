/**
 * Runs HDF5 in a thread of its own. libhdf5 (as WebAssembly) aborts on some corrupt files and cannot be used afterwards; here an
 * abort only ends this thread. Plain JavaScript, because Node 20 cannot start threads from TypeScript.
 *
 * A file may point HDF5 at any other file of the machine (links, external storage, virtual data sets, filter plugins), and may make
 * it allocate without end. So HDF5 can open nothing but the one file here, and its memory has a limit.
 */
import { resolve } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { Dataset, File, Group, ready } from 'h5wasm/node';

/** @typedef {import('./h5-limits.ts').H5Limits} H5Limits */
/** @typedef {{ fd: number, position: number }} Stream */
/** @typedef {{ path: string, dtype: string, shape: number[], layer: unknown }} Entry */

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
const { path, window, limits } =
  /** @type {{ path: string, window: { offset: number, size: number }, limits: H5Limits }} */ (workerData);

// The prototype is this thread's own. HDF5 takes a refusal for a full memory.
let memoryRefused = false;
/** @type {{ buffer: ArrayBuffer, grow(pages: number): number }} */
const memory = Reflect.get(globalThis, 'WebAssembly').Memory.prototype;
const { grow } = memory;
memory.grow = function (pages) {
  if (this.buffer.byteLength + pages * 65536 <= limits.heapBytes) return grow.call(this, pages);
  memoryRefused = true;
  throw new RangeError('HDF5 may not have more memory');
};

const hdf5 = await ready;
hdf5.activate_throwing_error_handler();
for (let last = hdf5.get_plugin_search_paths().length - 1; last >= 0; last--)
  hdf5.remove_plugin_search_path(last);

/** The other file that HDF5 was made to ask for. @type {string | undefined} */
let refusedPath;
/** @type {File | undefined} */
let file;
const { open } = hdf5.FS;
/** Descriptors of the one file. @type {Set<number>} */
const opened = new Set();
const FileErrors = /** @type {{ ErrnoError: new (errno: number) => Error }} */ (
  /** @type {unknown} */ (hdf5.FS)
);
/** Emscripten's ENOENT, and its O_EXCL: with it, h5wasm creates the temporary file through which it passes HDF5's error trace. */
const noSuchFile = 44;
const exclusive = 128;
/** @param {string} other @param {number} flags @param {unknown[]} rest */
const openOnly = (other, flags, ...rest) => {
  if (flags & exclusive) return Reflect.apply(open, hdf5.FS, [other, flags, ...rest]);
  if (file === undefined && resolve(other) === resolve(path)) {
    const stream = Reflect.apply(open, hdf5.FS, [other, flags, ...rest]);
    opened.add(stream.fd);
    return stream;
  }
  refusedPath ??= String(other);
  throw new FileErrors.ErrnoError(noSuchFile);
};
Object.assign(hdf5.FS, { open: openOnly, readFile: openOnly });
showWindow();

/** Shows HDF5 the part of the file that is HDF5's: a member of an archive that stores it. */
function showWindow() {
  const files =
    /** @type {{ read(stream: Stream, ...rest: unknown[]): number, fstat(fd: number): { size: number } }} */ (
      /** @type {unknown} */ (hdf5.FS)
    );
  const { read, fstat } = files;
  /** @param {Stream} stream @param {Uint8Array} buffer @param {number} at @param {number} length @param {number} [position] */
  const readInside = (stream, buffer, at, length, position) => {
    if (!opened.has(stream.fd)) return read(stream, buffer, at, length, position);
    const begin = position ?? stream.position;
    const bytes = Math.max(0, Math.min(length, window.size - begin));
    const done = read(stream, buffer, at, bytes, window.offset + begin);
    if (position === undefined) stream.position += done;
    return done;
  };
  /** @param {number} fd */
  const sizeInside = (fd) => {
    const info = fstat(fd);
    return opened.has(fd) ? Object.assign(info, { size: window.size }) : info;
  };
  Object.assign(hdf5.FS, { read: readInside, fstat: sizeInside });
}

/** The file is whole, but is not read. */
class Refusal extends Error {}

// HDF5's type numbers: 0 is integer, 1 is float.
/** @param {{ type: number, size: number, signed: boolean }} metadata */
const dtypeOf = ({ type, size, signed }) =>
  type === 1 ? `F${size * 8}` : type === 0 ? `${signed ? 'I' : 'U'}${size * 8}` : undefined;

/** What HDF5 decompresses by itself; another filter would be looked for in plugins. */
const filterIds = new Set([hdf5.H5Z_FILTER_DEFLATE, 2, 3]);
const megabytes = (/** @type {number} */ bytes) => `${Math.round(bytes / 2 ** 20)} MB`;
const elementsIn = (/** @type {readonly number[]} */ shape) =>
  shape.reduce((product, size) => product * size, 1);

/** Refuses what leads out of the file, by its kind. @param {File} root @param {string} at */
function refuseLink(root, at) {
  const target = hdf5.get_symbolic_link(root.file_id, at);
  if (target !== null) throw new Refusal(`'${at}' is a soft link, to '${target}'; ${ownValues}`);
  const link = hdf5.get_external_link(root.file_id, at);
  // Of a hard link, it has no fields.
  if (link?.filename !== undefined)
    throw new Refusal(`'${at}' is an external link, to '${link.filename}'; ${ownValues}`);
}

const ownValues = 'a file of weights must hold its values itself';

/** @param {File} root */
function listDatasets(root) {
  /** @type {Map<string, string>} */
  const seen = new Map();
  /** An object with two paths makes as many paths as one likes, or a cycle. @param {string} at */
  const meetOnce = (at) => {
    const address = hdf5.create_object_reference(root.file_id, at === '' ? '/' : at).join();
    const other = seen.get(address);
    if (other !== undefined)
      throw new Refusal(`'${at}' and '${other}' are the same object; Keras writes no hard links`);
    if (seen.size === limits.objects)
      throw new Refusal(`it has more than ${limits.objects} groups and tensors`);
    seen.set(address, at);
  };
  /** @type {Entry[]} */
  const entries = [];
  let totalBytes = 0;
  /** @param {Group} group @param {string} prefix @param {number} depth */
  const walk = (group, prefix, depth) => {
    if (depth > limits.depth)
      throw new Refusal(`groups are nested more than ${limits.depth} deep: '${prefix}'`);
    const layer = textAttribute(group, 'name');
    for (const key of group.keys()) {
      const at = prefix + key;
      refuseLink(root, at);
      const entity = root.get(at);
      if (!(entity instanceof Group || entity instanceof Dataset)) continue;
      meetOnce(at);
      if (entity instanceof Group) walk(entity, `${at}/`, depth + 1);
      else {
        const info = describe(entity, at);
        if (!info) continue;
        totalBytes += info.bytes;
        if (totalBytes > limits.totalBytes)
          throw new Refusal(`its tensors have more than ${megabytes(limits.totalBytes)}`);
        entries.push({ path: at, dtype: info.dtype, shape: info.shape, layer });
      }
    }
  };
  meetOnce('');
  walk(root, '', 0);
  return entries;
}

/** Type, shape and bytes of a tensor; undefined if it holds no numbers. @param {Dataset} dataset @param {string} at */
function describe(dataset, at) {
  const { metadata } = dataset;
  if (metadata.virtual_sources)
    throw new Refusal(`'${at}' is a virtual data set, made of other data; ${ownValues}`);
  const dtype = dtypeOf(metadata);
  if (!dtype || !metadata.shape) return undefined;
  const { shape, chunks, size } = metadata;
  const bytes = elementsIn(shape) * size;
  const filters = dataset.filters;
  const unknown = filters.find(({ id }) => !filterIds.has(id));
  if (unknown)
    throw new Refusal(
      `'${at}' is compressed by '${unknown.name}' (filter ${unknown.id}), expected gzip or none`,
    );
  const compressed = filters.some(({ id }) => id === hdf5.H5Z_FILTER_DEFLATE);
  const maxBytes = compressed ? limits.compressedTensorBytes : limits.tensorBytes;
  if (!(bytes <= maxBytes))
    throw new Refusal(
      `'${at}' would have ${bytes} bytes, the whole file has ${limits.tensorBytes}${compressed ? `, and compression may save at most a factor of ${limits.compression}` : ''}`,
    );
  const chunkBytes = elementsIn(chunks ?? []) * size;
  if (!(chunkBytes <= Math.max(limits.smallChunkBytes, bytes)))
    throw new Refusal(`'${at}' has ${bytes} bytes, but is stored in chunks of ${chunkBytes}`);
  if (!metadata.littleEndian) throw new Refusal(`'${at}' is big-endian`);
  // External storage is not visible in the metadata: reading one element makes HDF5 ask for the file.
  if (!chunks && bytes > 0) {
    try {
      const [count, offset] = [shape.map(() => 1n), shape.map(() => 0n)];
      readBytes(dataset, shape.length === 0 ? { bytes } : { count, offset, bytes: size });
    } catch (error) {
      if (refusedPath === undefined) throw error;
      throw new Refusal(`'${at}' has its values in another file, '${refusedPath}'; ${ownValues}`);
    }
  }
  return { dtype, shape: [...shape], bytes };
}

/**
 * Values as they are stored. h5wasm's own getters convert them, and have no bytes for single numbers.
 * @param {Dataset} dataset @param {{ count?: bigint[], offset?: bigint[], bytes: number }} selection
 */
function readBytes({ file_id, path: at }, { count, offset, bytes }) {
  const address = hdf5._malloc(bytes);
  if (address === 0) throw new Error('out of memory');
  try {
    const strides = count?.map(() => 1n);
    hdf5.get_dataset_data(file_id, at, count ?? null, offset ?? null, strides ?? null, BigInt(address));
    return hdf5.HEAPU8.slice(address, address + bytes);
  } finally {
    hdf5._free(address);
  }
}

/** @param {Group} group @param {string} name */
function textAttribute(group, name) {
  if (!hdf5.get_attribute_names(group.file_id, group.path).includes(name)) return undefined;
  const { value } = group.attrs[name] ?? {};
  return typeof value === 'string' ? value : undefined;
}

/** The relevant line of HDF5's error trace. @param {unknown} error */
const messageOf = (error) => {
  const text = error instanceof Error ? error.message : String(error);
  const lines = text.split('\n').filter((line) => /^\s+#\d+:/.test(line));
  if (lines.length > 0 && refusedPath !== undefined) return `it asks for another file, '${refusedPath}'`;
  return lines.at(-1)?.replace(/^.*\(\): /, '') ?? text.split('\n')[0];
};

/** @param {() => [object, ArrayBuffer[]?]} job */
const reply = (job) => {
  try {
    const [message, transfer] = job();
    port.postMessage(message, transfer ?? []);
  } catch (error) {
    if (memoryRefused)
      port.postMessage({
        refusal: `HDF5 needs more than ${megabytes(limits.heapBytes)} of memory for it, the limit for a file of ${limits.tensorBytes} bytes`,
      });
    else if (error instanceof Refusal) port.postMessage({ refusal: error.message });
    else port.postMessage({ error: messageOf(error) });
  }
};

reply(() => {
  file = new File(path, 'r');
  return [{ datasets: listDatasets(file), model: textAttribute(file, 'model_config') }];
});
port.on('message', (/** @type {string} */ name) =>
  reply(() => {
    const dataset = file?.get(name);
    if (!(dataset instanceof Dataset)) throw new Error(`'${name}' is no data set`);
    const { size, total_size } = dataset.metadata;
    const { buffer } = readBytes(dataset, { bytes: size * total_size });
    return [{ bytes: buffer }, [buffer]];
  }),
);
