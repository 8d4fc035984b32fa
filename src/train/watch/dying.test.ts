import { describe, expect, it } from 'vitest';
import { graphOf } from '../../model/description.ts';
import { dyingNotice, guessingLoss, isDying } from './dying.ts';

const graph = (network: string) =>
  graphOf({ network, options: { width: 0.125, inputSize: 75, blocks: { A: 1, B: 1, C: 1 } } });

describe('a network that is dying', () => {
  it('has features that are nearly all zero and the loss of guessing, both', () => {
    const guessing = Math.log(10);
    expect(isDying({ zeroShare: 0.988, loss: 2.3 }, guessing)).toBe(true);
    // Sparse features of a network that learns; the first steps of any.
    expect(isDying({ zeroShare: 0.97, loss: 1.6 }, guessing)).toBe(false);
    expect(isDying({ zeroShare: 0.3, loss: 9.7 }, guessing)).toBe(false);
  });

  it('is compared with who knows how often each class comes', () => {
    expect(
      guessingLoss(
        {
          perClass: [
            ['a', 5],
            ['b', 5],
          ],
        },
        2,
      ),
    ).toBeCloseTo(Math.LN2, 12);
    // scipy.stats.entropy([1, 3, 0])
    expect(
      guessingLoss(
        {
          perClass: [
            ['a', 1],
            ['b', 3],
            ['c', 0],
          ],
        },
        3,
      ),
    ).toBeCloseTo(0.5623351446188083, 12);
    expect(guessingLoss({ perClass: [] }, 10)).toBeCloseTo(Math.log(10), 12);
  });

  it('is told with the residual that is largest, and with what helps', () => {
    const metrics = { step: 60, zeroShare: 0.9886, loss: 2.3 };
    const blocks = [
      { block: 'inceptionResnetA/0', residualRatio: 1.47, zeroShare: 0.86 },
      { block: 'inceptionResnetC/0', residualRatio: 5.51, zeroShare: 0.98 },
      { block: 'inceptionResnetC/1', residualRatio: null, zeroShare: 1 },
    ];
    expect(
      dyingNotice(metrics, { guessing: Math.log(10), blocks, graph: graph('inception-resnet-v2') }),
    ).toBe(
      'step 60: the network is dying: 98.9% of the features before the classifier are zero and the loss, 2.30, is that of guessing (2.30); the residual of inceptionResnetC/0 had 5.5 times the norm of its shortcut at the last evaluation. It may recover, slowly; a new run with smaller residuals (--residual-scale 0.1 to 0.3) or a lower --learning-rate is what helps',
    );
    expect(dyingNotice(metrics, { guessing: Math.log(10), graph: graph('inception-v4') })).toMatch(
      /guessing \(2\.30\)\. It may recover, slowly; a new run with a lower --learning-rate or --clip-norm 1 is what helps$/,
    );
  });
});
