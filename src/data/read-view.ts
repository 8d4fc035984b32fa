/**
 * Images as networks take them in an evaluation: by the addon for images where there is one, which decodes a JPEG where the crop lies and
 * resizes it on threads of its own; else decoded by sharp and resized here.
 */
import { type View, type Views, viewsOf } from '../images/crops.ts';
import type { Image } from '../images/image.ts';
import {
  imageChannels,
  inputBytes,
  type Preprocessing,
  preprocess,
  protocols,
} from '../images/preprocess.ts';
import { resamplingKernels } from '../images/resize.ts';
import type { Dataset, EncodedImage } from './dataset.ts';
import { decodeImage } from './decode.ts';
import { imageAddon } from './native/image-addon.ts';
import { isWorthTrying } from './native/worth-trying.ts';

/** Crops by the addon, [1 or 2, height, width, channels]; undefined for what it leaves to others. */
async function takeNatively(
  source: EncodedImage,
  preprocessing: Preprocessing,
  { mirrored = false }: { readonly mirrored?: boolean } = {},
): Promise<Uint8Array | undefined> {
  const addon = imageAddon();
  if (!addon || !isWorthTrying(source)) return undefined;
  const { size, protocol, crop, kernel } = preprocessing;
  const target = new Uint8Array(inputBytes(preprocessing) * (mirrored ? 2 : 1));
  const isTaken = await addon.takeSingleCrop(source, {
    ...{ height: size[0], width: size[1], channels: imageChannels(preprocessing), crop, mirrored, target },
    protocol: protocols.indexOf(protocol),
    kernel: resamplingKernels.indexOf(kernel),
  });
  return isTaken ? target : undefined;
}

/** The single crop of an image given as a file or its bytes. @throws DataError naming the image and the problem */
export async function readInput(
  file: string | Uint8Array,
  preprocessing: Preprocessing,
  { name }: { readonly name?: string } = {},
): Promise<Uint8Array> {
  const source = typeof file === 'string' ? { file } : { bytes: file };
  const taken = await takeNatively(source, preprocessing);
  if (taken) return taken;
  const image = await decodeImage(file, name === undefined ? {} : { name });
  const data = new Uint8Array(inputBytes(preprocessing));
  preprocess(image, preprocessing, data);
  return data;
}

/** The views of an image of a data set for each of several networks. @throws DataError naming the image and the problem */
export async function readViews(
  dataset: Dataset,
  index: number,
  { networks, views }: { readonly networks: readonly Preprocessing[]; readonly views: Views },
): Promise<View[][]> {
  const [first] = networks;
  // Of several views the image is decoded once.
  if (networks.length === 1 && first && views.crops === 1) {
    const source = await dataset.encoded?.(index);
    const taken = source && (await takeNatively(source, first, { mirrored: views.flip ?? false }));
    if (taken) return [splitViews(taken, inputBytes(first))];
  }
  const image: Image = await dataset.image(index);
  return networks.map((preprocessing) => viewsOf(image, preprocessing, views));
}

const splitViews = (taken: Uint8Array, bytes: number): View[] =>
  Array.from({ length: taken.length / bytes }, (_, view) => ({
    weight: 1,
    write: (target, offset) => target.set(taken.subarray(view * bytes, (view + 1) * bytes), offset),
  }));
