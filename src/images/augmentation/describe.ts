/** What is done to training images, in one line. */
import { nothingLeft } from '../../option.ts';
import type { Augmentation } from '../augmentation.ts';

const share = (fraction: number): string => `${Math.round(fraction * 100)}%`;

export function describeAugmentation(augmentation: Augmentation): string {
  const { area, aspect, shift, flip, verticalFlip, rotation, ...others } = augmentation;
  const { trivialAugment, randAugment, colour, erase, mixup, cutMix, ...unsaid } = others;
  nothingLeft(unsaid);
  const parts = [
    area && `crops of ${share(area[0])} to ${share(area[1])} of the area`,
    area && aspect[0] !== aspect[1] && `of aspect ratio ${aspect.map((end) => end.toFixed(2)).join(' to ')}`,
    shift > 0 && `shifted by up to ${shift} pixels`,
    flip && 'mirrored',
    verticalFlip && 'upside down',
    rotation > 0 && `rotated by up to ${rotation}°`,
    trivialAugment && 'TrivialAugment',
    randAugment !== null && `RandAugment of strength ${randAugment}`,
    colour && 'other brightness, contrast, saturation and hue',
    erase > 0 && `a rectangle erased in ${share(erase)} of the images`,
    mixup > 0 && `mixed by mixup (${mixup})`,
    cutMix > 0 && `mixed by CutMix (${cutMix})`,
  ].filter((part) => typeof part === 'string');
  return parts.length === 0 ? 'none' : parts.join(', ');
}
