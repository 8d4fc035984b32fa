/**
 * HDF5 in a thread of its own. libhdf5 (as WebAssembly) aborts on some broken files and is of no use afterwards; here an
 * abort ends this thread alone. Plain JavaScript, because Node 20 starts no thread from TypeScript.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Dataset, File, Group, ready } from 'h5wasm/node';

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
const { path, mostBytes } = /** @type {{ path: string, mostBytes: number }} */ (workerData);

// HDF5's own type numbers: 0 are integers, 1 are floats.
/** @param {{ type: number, size: number, signed: boolean }} metadata */
const dtypeOf = ({ type, size, signed }) =>
  type === 1 ? `F${size * 8}` : type === 0 ? `${signed ? 'I' : 'U'}${size * 8}` : undefined;

/**
 * Datasets under a group. Links may form cycles: no group is entered twice deeper than any file of weights nests.
 * @param {Group} group @param {string} prefix @param {number} depth
 * @returns {Generator<{ path: string, dtype: string, shape: number[], layer: unknown }>}
 */
function* datasets(group, prefix, depth) {
  if (depth > 12) throw new Error(`groups nest deeper than 12: '${prefix}'`);
  const name = group.attrs.name?.value;
  for (const key of group.keys()) {
    const entity = group.get(key);
    if (entity instanceof Group) yield* datasets(entity, `${prefix}${key}/`, depth + 1);
    if (!(entity instanceof Dataset)) continue;
    const { metadata } = entity;
    const dtype = dtypeOf(metadata);
    if (!dtype || !metadata.shape) continue;
    const bytes = metadata.shape.reduce((product, size) => product * size, metadata.size);
    if (!(bytes <= mostBytes))
      throw new Error(`'${prefix}${key}' would have ${bytes} bytes, the whole file has ${mostBytes}`);
    if (!metadata.littleEndian) throw new Error(`'${prefix}${key}' is big-endian`);
    yield { path: prefix + key, dtype, shape: [...metadata.shape], layer: name };
  }
}

const hdf5 = await ready;
hdf5.activate_throwing_error_handler();

/** The first line that says what was wrong, of HDF5's trace. @param {unknown} error */
const messageOf = (error) => {
  const text = error instanceof Error ? error.message : String(error);
  const lines = text.split('\n').filter((line) => /^\s+#\d+:/.test(line));
  return lines.at(-1)?.replace(/^.*\(\): /, '') ?? text.split('\n')[0];
};

/** @param {() => [object, ArrayBuffer[]?]} job */
const answer = (job) => {
  try {
    const [message, transfer] = job();
    port.postMessage(message, transfer ?? []);
  } catch (error) {
    port.postMessage({ error: messageOf(error) });
  }
};

/** @type {File | undefined} */
let file;
answer(() => {
  file = new File(path, 'r');
  return [{ datasets: [...datasets(file, '', 0)] }];
});
port.on('message', (/** @type {string} */ wanted) =>
  answer(() => {
    const dataset = file?.get(wanted);
    const values = dataset instanceof Dataset ? dataset.value : undefined;
    if (!ArrayBuffer.isView(values)) throw new Error(`'${wanted}' holds no numbers`);
    const copy = new Uint8Array(values.byteLength);
    copy.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return [{ bytes: copy.buffer }, [copy.buffer]];
  }),
);
