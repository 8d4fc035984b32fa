import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataError } from '../data-error.ts';
import { modelLabelsIn } from './model-labels.ts';

const read = (text: string) => modelLabelsIn(text, 'l.txt');
const classes = ['tench, Tinca tinca', 'goldfish'];

describe('modelLabelsIn', () => {
  it.each([
    ['one per line', 'tench, Tinca tinca\r\ngoldfish\r\n\r\n'],
    ['quoted lines', '"tench, Tinca tinca"\n"goldfish"\n'],
    ['numbered lines', '0 tench, Tinca tinca\n1 goldfish'],
    ['numbered CSV', '0,"tench, Tinca tinca"\n1,goldfish\n'],
    ['a JSON list', '["tench, Tinca tinca", "goldfish"]'],
    ['an object by number', '{"1": "goldfish", "0": "tench, Tinca tinca"}'],
    ['an object by label', '{"goldfish": 1, "tench, Tinca tinca": 0}'],
  ])('reads %s', (_, text) => {
    expect(read(text)).toEqual({ classes });
  });

  it.each([
    ['Caffe’s synset_words.txt', 'n01440764 tench, Tinca tinca\nn01443537 goldfish\n'],
    [
      'Keras’s imagenet_class_index.json',
      '{"0": ["n01440764", "tench, Tinca tinca"], "1": ["n01443537", "goldfish"]}',
    ],
    ['pairs', '[["n01440764", "tench, Tinca tinca"], ["n01443537", "goldfish"]]'],
  ])('reads synsets beside the labels: %s', (_, text) => {
    expect(read(text)).toEqual({ classes, classIds: ['n01440764', 'n01443537'] });
  });

  it('keeps numbers and synsets that are the labels', () => {
    expect(read('1\n2\n').classes).toEqual(['1', '2']);
    expect(read('7 of hearts\n8 of hearts\n').classes).toEqual(['7 of hearts', '8 of hearts']);
    expect(read('n01440764\nn01443537\n')).toEqual({ classes: ['n01440764', 'n01443537'] });
  });

  it.each([
    ['tench\n\ngoldfish', 'l.txt: line 2 is empty, and would shift the labels after it'],
    ['\n', 'l.txt: expected labels, received an empty file'],
    ['[1, 2]', 'l.txt: expected a JSON list of labels, or of [id, label]; received 1'],
    ['{"0": "a", "2": "b"}', 'l.txt: expected an object with the outputs 0 to 1; 1 is missing'],
    ['{"a": 1, "b": 2}', 'outputs 0 to 1; 0 is missing'],
    ['{}', 'received an empty one'],
    ['[', 'l.txt: not JSON'],
  ])('refuses %j', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  it('gives back any lines without surrounding spaces, quotes, numbers and synsets', () => {
    const line = fc
      .stringMatching(/^[A-Za-z(][^\n\r"]{0,20}[a-z)]$/)
      .filter((text) => !/^n\d/.test(text) && text === text.trim());
    fc.assert(
      fc.property(fc.array(line, { minLength: 1 }), (lines) => {
        expect(read(lines.join('\n')).classes).toEqual(lines);
      }),
    );
  });

  it('refuses nothing but by a DataError', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'n01 []{}",:\na'), maxLength: 40 }), (text) => {
        try {
          expect(read(text).classes.length).toBeGreaterThanOrEqual(0);
        } catch (error) {
          if (!(error instanceof DataError)) throw error;
        }
      }),
      { numRuns: 300 },
    );
  });
});
