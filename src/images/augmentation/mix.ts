/**
 * Mixup (arXiv 1710.09412) and CutMix (arXiv 1905.04899): each image of a batch is mixed with the one before it, as torchvision does, by
 * a share of its own, as timm's mode 'elem'.
 */
import { type Random, uniform } from '../../random.ts';

/** How an image is mixed with another one. */
export type Mix =
  | { readonly kind: 'mixup'; readonly share: number }
  /** The rectangle that comes from the other image. */
  | {
      readonly kind: 'cutMix';
      readonly share: number;
      readonly box: {
        readonly left: number;
        readonly top: number;
        readonly right: number;
        readonly bottom: number;
      };
    };

/** Parameters of the Beta distributions that shares are drawn from; 0 is off. */
export interface Mixing {
  readonly mixup: number;
  readonly cutMix: number;
}

export const isMixing = ({ mixup, cutMix }: Mixing): boolean => mixup > 0 || cutMix > 0;

type Size = readonly [height: number, width: number];

/** Draws how an image is mixed; where both kinds are on, each for half of the images. */
export function drawMix(
  { mixup, cutMix }: Mixing,
  { size: [height, width], random }: { size: Size; random: Random },
): Mix {
  const cut = cutMix > 0 && (mixup === 0 || random() < 0.5);
  const share = symmetricBeta(cut ? cutMix : mixup, random);
  if (!cut) return { kind: 'mixup', share };
  const half = 0.5 * Math.sqrt(1 - share);
  const [x, y] = [Math.floor(random() * width), Math.floor(random() * height)];
  const [halfWidth, halfHeight] = [Math.floor(half * width), Math.floor(half * height)];
  const box = {
    left: Math.max(0, x - halfWidth),
    top: Math.max(0, y - halfHeight),
    right: Math.min(width, x + halfWidth),
    bottom: Math.min(height, y + halfHeight),
  };
  // At an edge of the image the rectangle is smaller than drawn.
  const area = (box.right - box.left) * (box.bottom - box.top);
  return { kind: 'cutMix', share: 1 - area / (width * height), box };
}

/** Writes the mixture of two images, [height, width, 3], over the first. */
export function mixInto(
  image: Uint8Array,
  other: Uint8Array,
  { mix, width }: { mix: Mix; width: number },
): void {
  if (mix.kind === 'mixup') {
    const { share } = mix;
    for (let index = 0; index < image.length; index++)
      image[index] = share * (image[index] as number) + (1 - share) * (other[index] as number) + 0.5;
    return;
  }
  const { left, top, right, bottom } = mix.box;
  for (let y = top; y < bottom; y++) {
    const [from, to] = [(y * width + left) * 3, (y * width + right) * 3];
    image.set(other.subarray(from, to), from);
  }
}

/** Of mixed images: the label of the other image, [n], and the part of the first, [n, 1]. */
export interface MixedLabels {
  readonly otherLabels: BigInt64Array;
  readonly labelShare: Float32Array;
}

/**
 * Mixes the images of a batch, [n, height, width, 3], in place. The first label becomes that of the image with the larger part, so that
 * an error in training still means a wrong answer.
 */
export function mixBatch(
  { images, labels }: { images: Uint8Array; labels: BigInt64Array },
  mixing: Mixing,
  { size, randomOf }: { size: Size; randomOf: (slot: number) => Random },
): MixedLabels {
  const bytes = size[0] * size[1] * 3;
  const count = labels.length;
  const imageAt = (slot: number) => images.subarray(slot * bytes, (slot + 1) * bytes);
  const own = labels.slice();
  const otherLabels = new BigInt64Array(count);
  const labelShare = new Float32Array(count);
  // From the last to the first, each other image is still whole; but the first one's is the last.
  const last = imageAt(count - 1).slice();
  for (let slot = count - 1; slot >= 0; slot--) {
    const mix = drawMix(mixing, { size, random: randomOf(slot) });
    mixInto(imageAt(slot), slot === 0 ? last : imageAt(slot - 1), { mix, width: size[1] });
    const [label, other] = [own[slot] as bigint, own[(slot + count - 1) % count] as bigint];
    const mostlyOther = mix.share < 0.5;
    labels[slot] = mostlyOther ? other : label;
    otherLabels[slot] = mostlyOther ? label : other;
    labelShare[slot] = mostlyOther ? 1 - mix.share : mix.share;
  }
  return { otherLabels, labelShare };
}

/** From Beta(alpha, alpha): two gamma variates by Marsaglia and Tsang's method, as logarithms, which a small alpha needs. */
export function symmetricBeta(alpha: number, random: Random): number {
  const [first, second] = [logGamma(alpha, random), logGamma(alpha, random)];
  return 1 / (1 + Math.exp(second - first));
}

function logGamma(shape: number, random: Random): number {
  const boosted = shape < 1 ? shape + 1 : shape;
  const boost = shape < 1 ? Math.log(1 - random()) / shape : 0;
  const d = boosted - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(uniform(random, 0, 2 * Math.PI));
    const v = (1 + c * normal) ** 3;
    if (v > 0 && Math.log(1 - random()) < 0.5 * normal ** 2 + d - d * v + d * Math.log(v))
      return Math.log(d * v) + boost;
  }
}
