import { describe, expect, it } from 'vitest';
import { matchClasses } from './match-classes.ts';

const names = { data: 'photos', model: 'm.safetensors' };
const match = (data: string[], classes: string[], classIds?: string[]) =>
  matchClasses({ classes: data }, { classes, ...(classIds && { classIds }) }, names);
const numbered = (count: number) => Array.from({ length: count }, (_, index) => `class ${index}`);

describe('matchClasses', () => {
  it('matches by name in any order, and may use only some of the outputs', () => {
    expect(match(['dog', 'cat'], ['cat', 'cow', 'dog'])).toEqual({ outputs: [2, 0] });
  });

  it('matches by identifier where labels are descriptions', () => {
    expect(match(['n02', 'n01'], ['a tench', 'a goldfish'], ['n01', 'n02'])).toEqual({ outputs: [1, 0] });
    const ensemble = { classes: ['tench', 'crane'], classIds: ['n01', 'n03'] };
    const other = { classes: ['crane', 'tench, Tinca'], classIds: ['n03', 'n01'] };
    expect(matchClasses(ensemble, other, names)).toEqual({ outputs: [1, 0] });
  });

  it('tells labels that occur twice apart by identifier or number, and refuses them otherwise', () => {
    const classes = ['crane', 'tench', 'crane'];
    expect(() => match(['crane', 'tench'], classes)).toThrow(
      "m.safetensors: 'crane' is the label of 2 outputs (0, 2); name the data's classes by the number of the output",
    );
    expect(() => match(['crane'], classes, ['n1', 'n2', 'n3'])).toThrow(
      'by identifier (n1, n3) or by the number of the output',
    );
    expect(match(['tench'], classes)).toEqual({ outputs: [1] });
    expect(match(['n3', 'n2'], classes, ['n1', 'n2', 'n3']).outputs).toEqual([2, 1]);
    expect(match(['0', '2'], classes).outputs).toEqual([0, 2]);
    // The same labels in the same order are the same classes.
    expect(match(classes, classes)).toEqual({ outputs: [0, 1, 2] });
  });

  it('takes numbers as places of outputs, whatever the order of the texts, and says so', () => {
    const texts = ['0', '1', '10', '11', '2', '3', '4', '5', '6', '7', '8', '9'];
    expect(match(texts, numbered(12))).toEqual({
      outputs: texts.map(Number),
      notice: "photos: its classes are numbers, taken as outputs of m.safetensors (9 is 'class 9')",
    });
    expect(match(['000', '002'], ['blue', 'green', 'red']).outputs).toEqual([0, 2]);
    // Labels that are digits are labels first.
    expect(match(['7', '3'], ['3', '7'])).toEqual({ outputs: [1, 0] });
  });

  it('refuses numbers that cannot be places', () => {
    expect(() => match(['1', '12'], numbered(12))).toThrow(
      "photos has a class '12', which is no output of m.safetensors: it has outputs 0 to 11",
    );
    expect(() => match(['1', '01'], numbered(12))).toThrow("its classes '1' and '01' are the same number");
    expect(() => match(['0', '1'], ['background', 'tench', 'goldfish'])).toThrow(
      "photos has a class '0', but output 0 of m.safetensors is the background: import the model with --label-offset 1",
    );
  });

  it('matches by order only where the model has no labels, and says so', () => {
    expect(match(['cat', 'dog'], numbered(2))).toEqual({
      outputs: [0, 1],
      notice:
        "m.safetensors has no labels; its 2 outputs are taken for the classes of photos in their order (0 is 'cat', 1 is 'dog')",
    });
    expect(() => match(['cat', 'dog'], numbered(3))).toThrow(
      'm.safetensors lacks 2 of the 2 classes of photos: cat, dog; it has 3: class 0, class 1, class 2',
    );
  });

  it('names the classes that the model does not have', () => {
    expect(() => match(['cat', 'yak'], ['cat', 'dog'])).toThrow(
      'm.safetensors lacks 1 of the 2 classes of photos: yak; it has 2: cat, dog',
    );
  });
});
