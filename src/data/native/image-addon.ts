/** Loads the addon that decodes and prepares images on threads of its own; optional, everything it does is also done without it. */
import { createRequire } from 'node:module';
import { imageAddonPath } from '../../engine/addon-path.mjs';
import type { Image } from '../../images/image.ts';
import { recordValues } from './distortion-record.ts';

export interface ImageAddonFacts {
  /** One for each core. */
  readonly threads: number;
  /** Those of this processor that inner loops were compiled for, the best last. */
  readonly instructionSets: readonly string[];
  readonly recordValues: number;
}

/** Where an image comes from: encoded, in a file of this name, in a part of one or as bytes, or as pixels. */
export type NativeSource =
  | string
  | { readonly file: string; readonly offset?: number; readonly length?: number }
  | { readonly bytes: Uint8Array }
  | {
      readonly bytes: Uint8Array;
      readonly height: number;
      readonly width: number;
      readonly channels: 1 | 3;
    };

/** Arrays with a value, or a record of values, for each source. */
export interface NativePreparation {
  readonly records: Float64Array;
  /** Places in the target. */
  readonly slots: Int32Array;
  /** Written: 1 for an image that is in its slot, 0 for one that is left to others. */
  readonly taken: Uint8Array;
  /** [n, height, width, 3] */
  readonly target: Uint8Array;
  readonly height: number;
  readonly width: number;
  /** One value: once it is 1, no further image is begun. */
  readonly closed: Uint8Array;
}

/** A single crop for a network, as native/images/single-crop.h takes it. */
export interface NativeCrop {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  /** Place in `protocols`. */
  readonly protocol: number;
  readonly crop: number;
  /** Place in `resamplingKernels`. */
  readonly kernel: number;
  /** Whether the mirrored crop is written behind the other. */
  readonly mirrored: boolean;
  readonly target: Uint8Array;
}

/** The functions that native/images/addon.cc registers. */
export interface ImageAddon {
  facts(): ImageAddonFacts;
  useInstructionSet(name: string): void;
  /** Undefined for what is left to others. */
  decode(source: NativeSource): Promise<Image | undefined>;
  /** Whether the crop is in the target. */
  takeSingleCrop(source: NativeSource, crop: NativeCrop): Promise<boolean>;
  prepare(sources: readonly NativeSource[], preparation: NativePreparation): Promise<void>;
}

type Found = { readonly addon: ImageAddon } | { readonly missing: string };

let found: Found | undefined;

/** The addon, or why there is none. */
export function findImageAddon(): Found {
  found ??= load();
  return found;
}

/** The addon, or undefined: then images are decoded by sharp and prepared in TypeScript. */
export function imageAddon(): ImageAddon | undefined {
  const result = findImageAddon();
  return 'addon' in result ? result.addon : undefined;
}

function load(): Found {
  const path = imageAddonPath();
  if (path === undefined) return { missing: 'not built' };
  try {
    const addon = createRequire(import.meta.url)(path) as ImageAddon;
    if (addon.facts().recordValues === recordValues) return { addon };
    return { missing: 'built by another version of the package' };
  } catch (error) {
    return { missing: `does not load (${(error as Error).message.split('\n')[0]})` };
  }
}
