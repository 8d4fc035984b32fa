/** Whether an image may be one that the addon decodes. */
import type { EncodedImage } from '../dataset.ts';

/** Endings of files that are worth opening for the addon, which decodes JPEGs; a file of another ending is opened once. */
const jpegEnding = /\.(?:jpe?g|jpe|jfif)$/i;

export function isWorthTrying(source: EncodedImage): boolean {
  if ('bytes' in source) return source.bytes[0] === 0xff && source.bytes[1] === 0xd8;
  return source.offset !== undefined || jpegEnding.test(source.file);
}
