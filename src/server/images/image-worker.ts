/**
 * The process that decodes untrusted images, one at a time, and resizes them to the network's input size. A crash of libvips or
 * exhausted memory ends only this process, and the pool starts another.
 */

import { DataError } from '../../data/data-error.ts';
import { allowFormats, decodeImage, encodePng } from '../../data/decode.ts';
import { readInput } from '../../data/read-view.ts';
import type { ImageAnswer, ImageJob } from './image-messages.ts';

// Bytes from anywhere meet the decoders of the web's formats only.
allowFormats(['JPEG', 'PNG', 'WebP']);

const send = (message: ImageAnswer) => process.send?.(message);

process.on('message', async ({ bytes, preprocessing, name }: ImageJob) => {
  try {
    const data = await readInput(bytes, preprocessing, { name });
    send({ kind: 'image', data });
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    send({ kind: 'broken', message: error.message });
  }
});

// Ctrl-C and a service manager's SIGTERM reach the whole process group; the server drains first and then disconnects.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit(0));
// Load the libraries before the first image arrives.
await decodeImage(await encodePng({ height: 1, width: 1, channels: 3, data: new Uint8Array(3) }));
send({ kind: 'ready' });
