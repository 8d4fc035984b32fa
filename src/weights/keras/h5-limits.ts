/** What an `.h5` file may make HDF5 do: memory and time are bounded by the file's size. */

export interface H5Limits {
  /** Levels of groups; Keras nests at most 8. */
  readonly depth: number;
  /** Groups and tensors together; Inception-ResNet-v2 with its optimiser's state has about 5,000. */
  readonly objects: number;
  /** Of one tensor: those of the file. */
  readonly tensorBytes: number;
  /** How many times smaller compression may make a tensor than it is. */
  readonly compression: number;
  readonly compressedTensorBytes: number;
  /** Of all tensors. */
  readonly totalBytes: number;
  /** A small tensor may lie in a chunk that is larger than itself, up to this. */
  readonly smallChunkBytes: number;
  /** Memory of HDF5, which is WebAssembly's. */
  readonly heapBytes: number;
}

const MiB = 2 ** 20;
const compression = 100;

/** Limits for a file of this many bytes. */
export const h5Limits = (fileBytes: number): H5Limits => ({
  depth: 12,
  objects: 20_000,
  tensorBytes: fileBytes,
  compression,
  compressedTensorBytes: compression * fileBytes,
  totalBytes: 4096 * MiB,
  smallChunkBytes: MiB,
  // A tensor and a chunk of it, and HDF5's own caches.
  heapBytes: 128 * MiB + 3 * fileBytes,
});
