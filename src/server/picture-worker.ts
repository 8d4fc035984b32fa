/**
 * The process that decodes pictures of strangers, one at a time, and brings them to the network's size. Whatever a picture
 * does to libvips or to memory, it does here, and the pool puts another process in this one's place.
 */
import { decodePicture, encodePng } from '../data/decode.ts';
import { DataError } from '../data/idx.ts';
import { inputBytes, preprocess } from '../data/preprocess.ts';
import type { PictureAnswer, PictureJob } from './picture-messages.ts';

const answer = (message: PictureAnswer) => process.send?.(message);

process.on('message', async ({ bytes, preprocessing, name }: PictureJob) => {
  try {
    const picture = await decodePicture(bytes, { name });
    const data = new Uint8Array(inputBytes(preprocessing));
    preprocess(picture, preprocessing, data);
    answer({ kind: 'picture', data });
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    answer({ kind: 'broken', message: error.message });
  }
});

// A terminal's Ctrl-C and a service manager's SIGTERM reach the whole group; the server drains first and then lets go of us.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit(0));
// The first picture should not wait until the libraries are loaded.
await decodePicture(await encodePng({ height: 1, width: 1, channels: 3, data: new Uint8Array(3) }));
answer({ kind: 'ready' });
