/**
 * "By omitting the batch-normalization on top of those layers, we were able to increase the overall number of Inception blocks."
 *
 *     inception reproduce sum-normalisation --scale hours --out docs/claims/sum-normalisation
 *
 * At most 40 minutes are meant for the scale `hours`, on two cores with bfloat16. The scale `minutes` was run once; `pilot` below has what it gave.
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
  reduction:
    'Memory does not depend on training, so that the networks are whole here: the drawn blocks, width 1 and 299×299 at scale hours. Only the batches are those of a small machine.',
  pilot:
    'Scale minutes (width 0.5, 139×139, batch 4 and 16, bfloat16, two cores, three pairs) was run once: with batch normalisation on all sums the results that live at once in a step are 1.19 to 1.20 times as large by plan, and the process’s measured peak grows by about as many bytes (Inception-ResNet-v2, batch 16: 17 MB planned; 483 ± 1 to 499 ± 2 MB measured, with the weights and libtorch in it). With three pairs p cannot be below 0.25. Images a second were measured beside other work and say nothing. In networks so small that the peak is in the stem, the plan grows by nothing.',
  budgetMinutes: 40,
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
    hours: scale({ inputSize: 299 }, { batches: [4, 16], seeds: 5, rounds: 4 }),
    gpu: scale({ inputSize: 299 }, { batches: [32, 64], seeds: 5, rounds: 20 }),
  },
};
