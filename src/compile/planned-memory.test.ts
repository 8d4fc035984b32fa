import { describe, expect, it } from 'vitest';
import { buildGraph } from '../graph/build-graph.ts';
import { configure, findNetwork } from '../networks/networks.ts';
import { usualOptimizers } from './optimizers/optimizers.ts';
import { plannedMemory } from './planned-memory.ts';
import type { Program, StoreSpec } from './program.ts';
import { compileTraining } from './training/compile-training.ts';

const store: StoreSpec = {
  tensors: [{ name: 'weights', dtype: 'float32', shape: [10] }],
  views: [{ name: 'weight', of: 'weights', shape: [2], strides: [1], offset: 0 }],
};

describe('the memory that a program is planned to take', () => {
  it('is the store, and the results that live at once; a view takes none, and keeps what it looks at', () => {
    const shape = [1, 2, 3, 4];
    const call = { do: 'call', layer: 'stem' } as const;
    const program: Program = {
      name: 'test',
      inputs: [{ name: 'images', dtype: 'uint8', shape: [24] }],
      outputs: [],
      slots: 5,
      steps: [
        { do: 'input', name: 'images', to: 0 },
        { ...call, operator: 'aten::add.Tensor', args: [{ slot: 0 }], to: [1], shape },
        { do: 'free', slots: [0] },
        { ...call, operator: 'aten::view', args: [{ slot: 1 }], to: [2] },
        { do: 'free', slots: [1] },
        { ...call, operator: 'aten::add.Tensor', args: [{ slot: 2 }], to: [3], shape },
        { do: 'free', slots: [2] },
        { ...call, operator: 'aten::relu', args: [{ slot: 3 }], to: [4] },
        { do: 'free', slots: [3, 4] },
      ],
    };
    // 24 values at 4 bytes: two results at once are more than the 24 bytes of the images and one.
    expect(plannedMemory(program, { store, bytes: 4 })).toEqual({ storeBytes: 40, peakBytes: 192 });
    expect(plannedMemory(program, { store, bytes: 2 }).peakBytes).toBe(96);
  });

  it('grows with the batch by the activations, and not by the weights', () => {
    const network = configure(findNetwork('inception-v4'), {
      width: 0.125,
      blocks: { A: 1, B: 1, C: 1 },
      inputSize: 75,
      classes: 10,
    });
    const graph = buildGraph(network);
    const planned = (batch: number) => {
      const { step, store } = compileTraining(graph, {
        batch,
        optimizer: usualOptimizers.rmsprop,
        weightDecay: 0,
        labelSmoothing: 0,
        auxiliaryLossWeight: 0,
        batchNormMomentum: 'input',
        clipNorm: undefined,
        precision: 'float32',
      });
      return plannedMemory(step, { store, bytes: 4 });
    };
    const [eight, sixteen, more] = [planned(8), planned(16), planned(24)];
    expect(sixteen.storeBytes).toBe(eight.storeBytes);
    const [first, second] = [sixteen.peakBytes - eight.peakBytes, more.peakBytes - sixteen.peakBytes];
    expect(Math.abs(second - first)).toBeLessThan(0.02 * first);
    // The stem's first results alone: 37 × 37 and 35 × 35 × 2 channels of 8, which the backward pass reads again.
    expect(first).toBeGreaterThan(8 * 4 * 8 * (37 * 37 + 35 * 35));
  });
});
