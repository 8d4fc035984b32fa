/** What a run takes over from weights, and what it refuses. */
import { describe, expect, it } from 'vitest';
import { sampleModel } from '../../../test/sample-model.ts';
import { buildGraph } from '../../graph/build-graph.ts';
import { standardPreprocessing } from '../../images/preprocess.ts';
import type { NetworkOptions } from '../../networks/network-options.ts';
import { configure, findNetwork } from '../../networks/networks.ts';
import { describeWeights } from './describe-weights.ts';
import { type Asked, startFrom } from './start-from.ts';

const weights = (differences: NetworkOptions = {}) => ({
  model: sampleModel('inception-v3', differences, {
    preprocessing: standardPreprocessing([75, 75], { protocol: 'timm', mean: [0.4, 0.5, 0.6] }),
  }),
  sha256: 'f'.repeat(64),
  decisions: ['a small file: no labels'],
});

const start = (asked: Partial<Asked> = {}, differences: NetworkOptions = {}) =>
  startFrom(weights(differences), { classes: ['class 4', 'emu', 'class 0'], ...asked });

const linesOf = (asked: Partial<Asked> = {}, differences: NetworkOptions = {}) => {
  const { network, options, weights } = start(asked, differences);
  return describeWeights(weights, buildGraph(configure(network, options)));
};

describe('startFrom', () => {
  it('takes network, options and preprocessing from the weights, and the classes from the data', () => {
    const { network, options, preprocessing, weights } = start();
    expect(network.name).toBe('inception-v3');
    expect(options).toEqual({ inputSize: 75, width: 0.25, blocks: { A: 1, B: 1, C: 1 }, classes: 3 });
    expect(preprocessing).toMatchObject({ size: [75, 75], protocol: 'timm', mean: [0.4, 0.5, 0.6] });
    expect(weights).toEqual({
      source: 'a small inception-v3',
      sha256: 'f'.repeat(64),
      kept: ['class 4', 'class 0'],
      reinitialised: ['emu'],
      auxiliary: 'none',
      changed: [],
      decisions: ['a small file: no labels'],
    });
  });

  it('takes another input size, dropout and an auxiliary head, and says so', () => {
    const options = { inputSize: [139, 107] as const, dropoutKeep: 0.9, auxiliary: true, width: 0.25 };
    const { preprocessing, weights } = start({ options });
    expect(preprocessing.size).toEqual([139, 107]);
    expect(weights).toMatchObject({
      auxiliary: 'new',
      changed: [
        'inputSize: 75 in the weights, 139x107 here',
        "dropoutKeep: the network's own in the weights, 0.9 here",
      ],
    });
  });

  it.each<[string, Partial<Asked>, readonly number[] | undefined, readonly string[]]>([
    ['leaves out hidden layers for other classes', {}, [], []],
    ['keeps hidden layers that are asked for', { options: { hidden: [16] } }, [16], ['class 4', 'class 0']],
    ['keeps no rows behind other hidden layers', { options: { hidden: [8, 16] } }, [8, 16], []],
    [
      'keeps the whole head for the same classes',
      { classes: ['class 1', 'class 0'] },
      [16],
      ['class 1', 'class 0'],
    ],
  ])('%s', (_, asked, hidden, kept) => {
    const { options, weights } = start(asked, { hidden: [16] });
    expect({ hidden: options.hidden, kept: weights.kept }).toEqual({ hidden, kept });
    expect(weights.changed).toEqual(
      hidden?.join() === '16'
        ? []
        : [`hidden: 16 in the weights, ${hidden?.join() || 'none'} here (--hidden 16 keeps them)`],
    );
  });

  it('counts new hidden layers as new', () => {
    const [without = ''] = linesOf({ classes: ['emu', 'kiwi'] });
    const [counted, , changed] = linesOf({ classes: ['emu', 'kiwi'], options: { hidden: [8] } });
    expect(counted).toBe(without);
    expect(changed).toBe('hidden: none in the weights, 8 here');
  });

  it.each<[string, NetworkOptions, NetworkOptions, string]>([
    ['keeps the auxiliary head that is asked for', { auxiliary: true }, { auxiliary: true }, 'kept'],
    ['drops the auxiliary head otherwise', {}, { auxiliary: true }, 'dropped'],
  ])('%s', (_, options, differences, auxiliary) =>
    // The auxiliary head needs a larger grid than the other samples have.
    expect(start({ options }, { ...differences, inputSize: 107 }).weights.auxiliary).toBe(auxiliary),
  );

  it.each<[string, Partial<Asked>, string]>([
    [
      'another network',
      { network: 'inception-v4' },
      'a small inception-v3 holds the weights of inception-v3, not of inception-v4; the network comes with the weights and can be left out',
    ],
    [
      'another network of the same name',
      { network: { ...findNetwork('inception-v3'), about: 'mine' } },
      'a small inception-v3 holds the weights of another network that is called inception-v3',
    ],
    [
      'another width',
      { options: { width: 0.5 } },
      "network option 'width': a small inception-v3 has 0.25, received 0.5; it comes with the weights (auxiliary, dropoutKeep, hidden, inputSize may differ)",
    ],
    [
      'other blocks',
      { options: { blocks: { A: 2 } } },
      "network option 'blocks': a small inception-v3 has 1,1,1, received 2,,; it comes with the weights (auxiliary, dropoutKeep, hidden, inputSize may differ)",
    ],
  ])('refuses %s', (_, asked, message) => expect(() => start(asked)).toThrow(message));

  it('refuses weights for other images', () =>
    expect(() => start({}, { inputChannels: 1 })).toThrow(
      'a small inception-v3: it takes 1 input channels; training images are RGB',
    ));

  it('accepts the network and options that the weights have', () =>
    expect(start({ network: 'inception-v3', options: { width: 0.25, gamma: true } }).weights.changed).toEqual(
      [],
    ));
});

describe('describeWeights', () => {
  // 7 − 2 kept classes; each has 512 features and a bias.
  it('says what is kept and what is new', () => {
    expect(linesOf()).toEqual([
      expect.stringMatching(
        /^weights: a small inception-v3, [\d,]+ parameters and all moving statistics kept \(sha256 f{12}\)$/,
      ),
      'classifier: rows of 2 classes kept, which have the same label (class 4, class 0); 1 new (emu)',
    ]);
    expect(linesOf({ classes: ['cat', 'dog'] })[1]).toBe('classifier: new, for 2 classes');
    expect(linesOf({ classes: ['class 1', 'class 0'] })[1]).toBe(
      'classifier: kept, all 2 classes are those of the weights',
    );
    expect(linesOf({}, { auxiliary: true, inputSize: 107 })[2]).toBe(
      'auxiliary classifier: left out (--auxiliary keeps it)',
    );
  });
});
