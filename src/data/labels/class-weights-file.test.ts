import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataError } from '../data-error.ts';
import { classWeightsIn } from './class-weights-file.ts';

const read = (text: string) => classWeightsIn(text, 'w.csv');

describe('classWeightsIn', () => {
  it.each([
    ['CSV', 'cat,1\n"dog, small",2.5\n'],
    ['CSV with a header', 'label,weight\ncat,1\n"dog, small",2.5\n'],
    ['tabs', 'cat\t1\ndog, small\t2.5'],
    ['JSON', '{"cat": 1, "dog, small": 2.5}'],
  ])('reads %s', (_, text) => {
    expect(read(text)).toEqual({ cat: 1, 'dog, small': 2.5 });
  });

  it.each([
    ['', 'w.csv: expected labels and weights, received an empty file'],
    ['cat,1\ndog,none', 'w.csv: the weight of \'dog\': expected a number above 0, received "none"'],
    ['cat,1\ndog,0', "the weight of 'dog': expected a number above 0, received 0"],
    ['cat,1\ncat,2', "w.csv: two weights for 'cat'"],
    ['cat,1\ndog', "w.csv: expected lines of label and weight, received 'dog'"],
    ['[1, 2]', 'w.csv: expected a JSON object from labels to weights'],
    ['{"cat": "1"}', 'the weight of \'cat\': expected a number above 0, received "1"'],
    ['{', 'w.csv: not JSON'],
  ])('refuses %j', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  it('refuses nothing but by a DataError', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab1.,{}[]:"\n\t;'), maxLength: 30 }), (text) => {
        try {
          expect(Object.values(read(text)).every((weight) => weight > 0)).toBe(true);
        } catch (error) {
          if (!(error instanceof DataError)) throw error;
        }
      }),
    );
  });
});
