declare module 'snappyjs' {
  const snappy: {
    uncompress(compressed: Uint8Array, maxBytes?: number): Uint8Array<ArrayBuffer>;
    compress(uncompressed: Uint8Array): Uint8Array<ArrayBuffer>;
  };
  export default snappy;
}
