/**
 * The process that decodes images of strangers, one at a time, and brings them to the network's size. Whatever an image
 * does to libvips or to memory, it does here, and the pool puts another process in this one's place.
 */

import { DataError } from '../../data/data-error.ts';
import { decodeImage, encodePng } from '../../data/decode.ts';
import { inputBytes, preprocess } from '../../images/preprocess.ts';
import type { ImageAnswer, ImageJob } from './image-messages.ts';

const answer = (message: ImageAnswer) => process.send?.(message);

process.on('message', async ({ bytes, preprocessing, name }: ImageJob) => {
  try {
    const image = await decodeImage(bytes, { name });
    const data = new Uint8Array(inputBytes(preprocessing));
    preprocess(image, preprocessing, data);
    answer({ kind: 'image', data });
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    answer({ kind: 'broken', message: error.message });
  }
});

// A terminal's Ctrl-C and a service manager's SIGTERM reach the whole group; the server drains first and then lets go of us.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit(0));
// The first image should not wait until the libraries are loaded.
await decodeImage(await encodePng({ height: 1, width: 1, channels: 3, data: new Uint8Array(3) }));
answer({ kind: 'ready' });
