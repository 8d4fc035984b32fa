/** What a check of a data set finds. Plain data, for JSON. */
import type { LeftOut } from '../data/dataset.ts';

export interface CheckedImage {
  readonly file: string;
  readonly split: string;
  readonly class: string;
}

/** Images that are the same or look alike. */
export interface DuplicateGroup {
  readonly images: readonly CheckedImage[];
  /** Images in more than one split: what is learnt from one is tested on the other. */
  readonly acrossSplits: boolean;
  /** Images of more than one class: at most one of the labels is right. */
  readonly acrossClasses: boolean;
}

/** Of one side, in pixels. */
export interface SizeRange {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** An image of which a network, or a classifier on its features, is sure that it is something else. */
export interface SuspectLabel extends CheckedImage {
  /** What it is said to be. */
  readonly predicted: string;
  /** Probabilities of its label and of the given one, 0–1. */
  readonly probability: number;
  readonly labelProbability: number;
  /** Whether the network was trained on this image; null if that is not known. */
  readonly trainedOn: boolean | null;
}

/** How each image was judged by a classifier that had not seen it. */
export interface CrossValidated {
  /** The model whose features the classifiers read. */
  readonly features: string;
  readonly folds: number;
  /** Fraction of the images whose label is not the one that their classifier says, 0–1. */
  readonly error: number;
  /** Images whose class no image of the other folds shows, so that nothing is said of them. */
  readonly notJudged: number;
}

export interface LabelCheck {
  readonly model: string;
  /** Null where the network itself judged, as it does where it was not trained on these images. */
  readonly crossValidated: CrossValidated | null;
  /** Images that it was trained on; null if it was trained on other data, or does not say. */
  readonly trainedOn: number | null;
  /** The surest first. */
  readonly images: readonly SuspectLabel[];
}

export interface DataCheck {
  readonly format: 1;
  readonly source: string;
  readonly images: number;
  readonly splits: readonly { readonly name: string; readonly folder: string; readonly images: number }[];
  readonly classes: readonly {
    readonly name: string;
    readonly images: number;
    /** By split. */
    readonly perSplit: Readonly<Record<string, number>>;
  }[];
  /** The largest class divided by the smallest. */
  readonly imbalance: number;
  /** Classes that some split lacks. */
  readonly missing: readonly { readonly class: string; readonly splits: readonly string[] }[];
  readonly undecodable: readonly (CheckedImage & { readonly reason: string })[];
  readonly width: SizeRange;
  readonly height: SizeRange;
  /** Images with a side below that of the network's input, which are enlarged. */
  readonly smaller: {
    readonly than: readonly [height: number, width: number];
    readonly images: readonly (CheckedImage & { readonly height: number; readonly width: number })[];
  };
  /** The same bytes. */
  readonly identical: readonly DuplicateGroup[];
  /** The same to the eye, but not to the byte; a group may hold identical ones besides. */
  readonly near: readonly DuplicateGroup[];
  readonly nearThresholds: { readonly bits: number; readonly colour: number };
  /** Of a check with a model. */
  readonly labels?: LabelCheck;
  readonly leftOut: readonly { readonly folder: string; readonly items: readonly LeftOut[] }[];
  readonly decisions: readonly string[];
}
