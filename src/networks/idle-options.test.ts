import { describe, expect, it } from 'vitest';
import { refuseIdleOptions } from './idle-options.ts';
import type { NetworkOptions } from './network-options.ts';
import { configure, findNetwork, networks } from './networks.ts';

describe('options without effect', () => {
  it.each<[network: string, options: NetworkOptions, reason: string]>([
    ['inception-v4', { residualScale: 0.1 }, 'it has no scaled residual connections'],
    ['inception-v3', { residualScale: 'off' }, 'it has no scaled residual connections'],
    ['inception-v4', { shortcuts: false }, 'it has no residual connections'],
    ['inception-v3', { sumNorm: 'all' }, 'it has no residual connections'],
    ['inception-resnet-v2', { shortcuts: false, sumNorm: 'all' }, 'without shortcuts it has no sums'],
    [
      'inception-resnet-v1',
      { shortcuts: false, residualScale: 0.2 },
      'without shortcuts residuals are not scaled',
    ],
    ['inception-v4', { classes: 0, dropoutKeep: 0.5 }, 'without a classifier (classes: 0) it has no dropout'],
    [
      'inception-v3',
      { classes: 0, hidden: [8] },
      'without a classifier (classes: 0) it has no hidden layers',
    ],
    ['inception-resnet-v1', { countPadding: true }, 'it has no average pooling with padding'],
  ])('%s refuses %o, and files that hold it still open', (name, options, reason) => {
    const network = findNetwork(name);
    expect(() => refuseIdleOptions(network, options)).toThrow(`has no effect in ${name}: ${reason}`);
    expect(() => configure(network, options)).not.toThrow();
  });

  it.each(networks.map(({ name }) => name))('%s takes every option that changes it', (name) => {
    const network = findNetwork(name);
    const residual = name.includes('resnet');
    const options: NetworkOptions = {
      classes: 5,
      width: 0.5,
      blocks: { A: 2 },
      dropoutKeep: 0.5,
      gamma: false,
      ...(residual ? { residualScale: { A: 0.1, C: 0.2 } } : { countPadding: true }),
    };
    expect(() => refuseIdleOptions(network, options)).not.toThrow();
  });
});
