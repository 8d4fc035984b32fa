/**
 * Runs HDF5 in a thread of its own. libhdf5 (as WebAssembly) aborts on some corrupt files and cannot be used afterwards; here an
 * abort only ends this thread. Plain JavaScript, because Node 20 cannot start threads from TypeScript.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Dataset, File, Group, ready } from 'h5wasm/node';

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
const { path, maxBytes } = /** @type {{ path: string, maxBytes: number }} */ (workerData);

// HDF5's type numbers: 0 is integer, 1 is float.
/** @param {{ type: number, size: number, signed: boolean }} metadata */
const dtypeOf = ({ type, size, signed }) =>
  type === 1 ? `F${size * 8}` : type === 0 ? `${signed ? 'I' : 'U'}${size * 8}` : undefined;

/**
 * Datasets under a group. Links may form cycles, which the limit on depth ends.
 * @param {Group} group @param {string} prefix @param {number} depth
 * @returns {Generator<{ path: string, dtype: string, shape: number[], layer: unknown }>}
 */
function* datasets(group, prefix, depth) {
  if (depth > 12) throw new Error(`groups are nested more than 12 deep: '${prefix}'`);
  const name = group.attrs.name?.value;
  for (const key of group.keys()) {
    const entity = group.get(key);
    if (entity instanceof Group) yield* datasets(entity, `${prefix}${key}/`, depth + 1);
    if (!(entity instanceof Dataset)) continue;
    const { metadata } = entity;
    const dtype = dtypeOf(metadata);
    if (!dtype || !metadata.shape) continue;
    const bytes = metadata.shape.reduce((product, size) => product * size, metadata.size);
    if (!(bytes <= maxBytes))
      throw new Error(`'${prefix}${key}' would have ${bytes} bytes, the whole file has ${maxBytes}`);
    if (!metadata.littleEndian) throw new Error(`'${prefix}${key}' is big-endian`);
    yield { path: prefix + key, dtype, shape: [...metadata.shape], layer: name };
  }
}

const hdf5 = await ready;
hdf5.activate_throwing_error_handler();

/** The relevant line of HDF5's error trace. @param {unknown} error */
const messageOf = (error) => {
  const text = error instanceof Error ? error.message : String(error);
  const lines = text.split('\n').filter((line) => /^\s+#\d+:/.test(line));
  return lines.at(-1)?.replace(/^.*\(\): /, '') ?? text.split('\n')[0];
};

/** @param {() => [object, ArrayBuffer[]?]} job */
const reply = (job) => {
  try {
    const [message, transfer] = job();
    port.postMessage(message, transfer ?? []);
  } catch (error) {
    port.postMessage({ error: messageOf(error) });
  }
};

/** @type {File | undefined} */
let file;
reply(() => {
  file = new File(path, 'r');
  return [{ datasets: [...datasets(file, '', 0)] }];
});
port.on('message', (/** @type {string} */ name) =>
  reply(() => {
    const dataset = file?.get(name);
    const values = dataset instanceof Dataset ? dataset.value : undefined;
    if (!ArrayBuffer.isView(values)) throw new Error(`'${name}' contains no numbers`);
    const copy = new Uint8Array(values.byteLength);
    copy.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return [{ bytes: copy.buffer }, [copy.buffer]];
  }),
);
