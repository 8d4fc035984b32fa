import fc from 'fast-check';
import Papa from 'papaparse';
import { describe, expect, it } from 'vitest';
import { DataError } from '../data-error.ts';
import { labelsIn } from './image-labels.ts';
import { decodeText } from './read-text.ts';

const files = ['flat/a.jpg', 'flat/b 2.jpg', 'flat/c.png'];
const read = (text: string) => labelsIn(text, { path: 'l.txt', files });

describe('labelsIn', () => {
  it.each([
    ['CSV', 'b 2.jpg,golden eagle\na.jpg,golden retriever\nc.png,red fox\n'],
    [
      'CSV with a header, quotes and spaces',
      'File Name,Label\r\n"c.png", red fox\r\n"a.jpg","golden retriever"\r\nb 2.jpg,golden eagle',
    ],
    ['tabs', 'a.jpg\tgolden retriever\nb 2.jpg\tgolden eagle\nc.png\tred fox'],
    ['semicolons', 'a;golden retriever\nb 2;golden eagle\nc;red fox\n'],
    [
      'spaces, folders and other endings',
      'val/a.JPEG golden retriever\nval\\b 2.jpg golden eagle\n\nc red fox\n',
    ],
    ['one label per line', 'golden retriever\ngolden eagle\nred fox\n\n'],
    ['a JSON list', '["golden retriever", "golden eagle", "red fox"]'],
    ['a JSON object', '{"c.png": "red fox", "a.jpg": "golden retriever", "b 2.jpg": "golden eagle"}'],
    ['JSON pairs', '[["c", "red fox"], ["a", "golden retriever"], ["b 2", "golden eagle"]]'],
  ])('reads %s', (_, text) => {
    expect(read(text)).toEqual({ labels: ['golden retriever', 'golden eagle', 'red fox'], notices: [] });
  });

  it('reads a quoted label with commas and quotes as one', () => {
    const { labels } = read('a.jpg,"tench, Tinca ""tinca"""\nb 2.jpg,x\nc.png,y\n');
    expect(labels[0]).toBe('tench, Tinca "tinca"');
  });

  it('reads Caffe’s FILE NUMBER and JSON numbers', () => {
    expect(read('a.jpg 65\nb 2.jpg 970\nc.png 0\n').labels).toEqual(['65', '970', '0']);
    expect(read('{"a": 65, "b 2": 970, "c": 0}').labels).toEqual(['65', '970', '0']);
    expect(read('[65, 970, 0]').labels).toEqual(['65', '970', '0']);
    expect(read('65\n970\n0').labels).toEqual(['65', '970', '0']);
  });

  it('reads ImageNet’s LOC_val_solution.csv, whose cells have boxes behind the synset', () => {
    const { labels } = read(
      'ImageId,PredictionString\nc,n03000000 1 2 3 4\na,n01000000 1 2 3 4 n01000000 5 6 7 8\nb 2,n02000000 0 0 1 1 \n',
    );
    expect(labels).toEqual(['n01000000', 'n02000000', 'n03000000']);
  });

  it('says how many lines name no image, and that more columns are not read', () => {
    expect(read('a.jpg,x\nb 2.jpg,y\nc.png,z\nd.jpg,x\ne.jpg,x\n').notices).toEqual([
      "l.txt: 2 of its 5 lines name no image (the first: 'd.jpg')",
    ]);
    expect(read('a.jpg x\nb 2.jpg y\nc.png z\nd.jpg x\n').notices).toHaveLength(1);
    expect(read('a.jpg,x,1\nb 2.jpg,y,2\nc.png,z,3\n').notices).toEqual([
      'l.txt: the second column is the label; 3 rows have more columns',
    ]);
  });

  it('takes labels in order for such even where one looks like a file', () => {
    expect(read('a retriever\neagle, golden\nfox').labels).toEqual(['a retriever', 'eagle, golden', 'fox']);
  });

  it.each([
    [
      'x\ny',
      "2 labels for 3 images; expected one line per image, or lines of file and label (none names an image; the first is 'x')",
    ],
    ['x\n\nz', 'l.txt: line 2 is empty'],
    ['a.jpg,x\nb 2.jpg,y', 'l.txt: no label for flat/c.png'],
    ['a.jpg,x', 'l.txt: no label for flat/b 2.jpg and 1 more of 3 images'],
    ['a.jpg x\na.jpg y\nb 2.jpg y\nc.png z', "l.txt: two labels for flat/a.jpg: 'x' and 'y'"],
    ['a.jpg,\nb 2.jpg,y\nc.png,z', 'l.txt: the label of flat/a.jpg is empty'],
    ['a.jpg,"x\nb 2.jpg,y\nc.png,z', 'l.txt: line 1: Quoted field unterminated'],
    [
      '{"a": [1]}',
      'expected a JSON list of labels, a list of [file, label], or an object from files to labels; received ["a",[1]]',
    ],
    ['[1.5]', 'received 1.5'],
    ['{', 'l.txt: not JSON'],
    ['', '0 labels for 3 images'],
  ])('refuses %j', (text, message) => {
    expect(() => read(text)).toThrow(message);
    expect(() => read(text)).toThrow(DataError);
  });

  it('does not take a stem that two files share for either', () => {
    const both = { path: 'l.txt', files: ['a.jpg', 'a.png'] };
    expect(labelsIn('a.jpg,x\na.png,y', both).labels).toEqual(['x', 'y']);
    expect(() => labelsIn('a,x\nb,y\nc,z', both)).toThrow('3 labels for 2 images');
  });

  it('gives back whatever labels a CSV library writes', () => {
    const label = fc
      .string({ minLength: 1, unit: 'binary' })
      .filter((text) => text.trim() === text && !/^n\d{8} /.test(text));
    fc.assert(
      fc.property(fc.tuple(label, label, label), (labels) => {
        const text = Papa.unparse(labels.map((each, index) => [files[index], each]));
        expect(read(text).labels).toEqual(labels);
      }),
    );
  });

  it('refuses nothing but by a DataError', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'a.jpg b2[]{}",;\t\n0:'), maxLength: 60 }), (text) => {
        try {
          expect(read(text).labels).toHaveLength(3);
        } catch (error) {
          if (!(error instanceof DataError)) throw error;
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('decodeText', () => {
  it('reads UTF-8 and UTF-16 with or without a byte order mark, and refuses what is neither', () => {
    for (const bytes of [
      Buffer.from('crème'),
      Buffer.from('\ufeffcrème'),
      Buffer.from('\ufeffcrème', 'utf16le'),
      Buffer.from('\ufeffcrème', 'utf16le').swap16(),
    ])
      expect(decodeText(bytes, 'l.txt')).toBe('crème');
    expect(() => decodeText(Buffer.from('crème', 'latin1'), 'l.txt')).toThrow(
      'l.txt: not a text file in UTF-8; save it as UTF-8',
    );
  });
});
