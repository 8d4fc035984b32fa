/** What a file is that was chosen as a model and is none, by how it begins: an image, or weights in another form. */

/** Bytes at an offset; text stands for its codes. */
type Sign = readonly [offset: number, begins: string];

const images: readonly (readonly [name: string, ...signs: Sign[]])[] = [
  ['a JPEG', [0, '\xff\xd8\xff']],
  ['a PNG', [0, '\x89PNG']],
  ['a GIF', [0, 'GIF8']],
  ['a WebP', [0, 'RIFF'], [8, 'WEBP']],
  ['a TIFF', [0, 'II*\0']],
  ['a TIFF', [0, 'MM\0*']],
  ['an AVIF or HEIC', [4, 'ftyp']],
  ['a BMP', [0, 'BM']],
];

const weights: typeof images = [
  ['PyTorch weights or an archive (ZIP)', [0, 'PK\x03\x04']],
  ['a safetensors file', [8, '{"']],
  ['an HDF5 file of Keras', [0, '\x89HDF']],
];

/** A sentence that says what the file is and what to do; undefined for anything that might be ONNX. */
export function foreignFile(bytes: Uint8Array): string | undefined {
  const find = (kinds: typeof images) =>
    kinds.find(([, ...signs]) =>
      signs.every(([offset, begins]) =>
        [...begins].every((character, index) => bytes[offset + index] === character.charCodeAt(0)),
      ),
    )?.[0];
  const image = find(images);
  if (image !== undefined)
    return `this is ${image} image, not a model. Choose it under Image, and here an .onnx file, as 'inception export' writes it`;
  const other = find(weights);
  if (other !== undefined)
    return `this is ${other}, which the page cannot run. 'inception export FILE -o model.onnx' makes an ONNX file of weights`;
  return undefined;
}
