/**
 * "By omitting the batch-normalization on top of those layers, we were able to increase the overall number of Inception blocks."
 *
 *     inception reproduce sum-normalisation --out reproduced/sum-normalisation
 */
import type { MemoryClaim, MemoryScale } from '../claim.ts';

const scale = (
  options: {
    readonly width?: number;
    readonly inputSize: number;
    readonly blocks?: { A: number; B: number; C: number };
  },
  rest: Omit<MemoryScale, 'networks'>,
): MemoryScale => ({
  networks: ['inception-resnet-v1', 'inception-resnet-v2'].map((network) => ({ network, options })),
  ...rest,
});

export const sumNormalisation: MemoryClaim = {
  kind: 'memory',
  id: 'sum-normalisation',
  title: 'No batch normalisation on the summations saves memory',
  quote:
    'we used batch-normalization only on top of the traditional layers, but not on top of the summations. […] It turned out that the memory footprint of layers with large activation size was consuming disproportionate amount of GPU-memory. By omitting the batch-normalization on top of those layers, we were able to increase the overall number of Inception blocks substantially',
  where: 'section 3.2 (arXiv 1602.07261)',
  varied:
    'Batch normalisation on the residual sums: on none, as in the paper, or on all. Everything else of the step is the same. Planned memory follows from the compiled program alone; measured memory is the peak of the process during its steps.',
  cannotShow: [
    'what another implementation saves: how many results a framework keeps for the backward pass differs, and this one overwrites and frees what it can',
    'an effect on accuracy: nothing is trained here',
  ],
  scales: {
    smoke: scale(
      { width: 0.125, inputSize: 75, blocks: { A: 1, B: 1, C: 1 } },
      { batches: [2], seeds: 2, rounds: 1 },
    ),
    minutes: scale({ width: 0.5, inputSize: 139 }, { batches: [4, 16], seeds: 3, rounds: 3 }),
    hours: scale({ inputSize: 299 }, { batches: [4, 8, 16], seeds: 5, rounds: 5 }),
    gpu: scale({ inputSize: 299 }, { batches: [32, 64, 128], seeds: 5, rounds: 20 }),
  },
};
