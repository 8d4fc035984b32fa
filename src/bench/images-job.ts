/** What the sides of `bench data` prepare. */
export interface ImagesJob {
  /** A data set, or for a peer the list of its files. */
  readonly data: string;
  readonly files: readonly string[];
  readonly batch: number;
  readonly size: readonly [height: number, width: number];
  /** The paper's colours, besides its crops and mirroring. */
  readonly colour: boolean;
  readonly threads: number;
}

/** Batches at the begin of a turn that are ready already. */
export const untimedBatches = 6;
