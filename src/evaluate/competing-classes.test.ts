import { describe, expect, it } from 'vitest';
import type { Dataset } from '../data/dataset.ts';
import { competingClasses } from './competing-classes.ts';

const dataset = (classes: string[], labels = classes.map((_, index) => index)): Dataset => ({
  name: 'photos',
  length: labels.length,
  classes,
  label: (index) => labels[index] as number,
  nameOf: (index) => `${index}.jpg`,
  image: () => Promise.reject(new Error('not needed')),
});
const model = (source: string, ...classes: string[]) => ({ source, classes });
const labelsOf = (data: Dataset) => Array.from({ length: data.length }, (_, index) => data.label(index));

describe('competingClasses', () => {
  it('lets all outputs compete, and says that the data have fewer classes', () => {
    const {
      dataset: scored,
      competing,
      ...rest
    } = competingClasses(dataset(['red', 'blue']), [
      model('a', 'blue', 'green', 'red'),
      model('b', 'red', 'green', 'blue'),
    ]);
    expect(competing.classes).toEqual(scored.classes);
    expect([scored.classes, labelsOf(scored)]).toEqual([
      ['blue', 'green', 'red'],
      [2, 0],
    ]);
    expect(rest).toEqual({
      outputs: [
        [0, 1, 2],
        [2, 1, 0],
      ],
      notices: [
        "photos has 2 of the 3 classes of a; all 3 compete (--only-data-classes lets only the data's)",
      ],
      restriction: undefined,
    });
  });

  it('restricts all members to the classes of the data, and the protocol says so', () => {
    const {
      dataset: scored,
      competing,
      ...rest
    } = competingClasses(
      dataset(['red', 'blue']),
      [model('a', 'blue', 'green', 'red'), model('b', 'red', 'blue')],
      { onlyDataClasses: true },
    );
    expect(competing.classes).toEqual(scored.classes);
    expect([scored.classes, labelsOf(scored)]).toEqual([
      ['red', 'blue'],
      [0, 1],
    ]);
    expect(rest).toEqual({
      outputs: [
        [2, 0],
        [0, 1],
      ],
      notices: [],
      restriction: "only the data's 2 of 3 classes compete (--only-data-classes)",
    });
    expect(() =>
      competingClasses(dataset(['blue', 'red']), [model('a', 'red', 'blue')], { onlyDataClasses: true }),
    ).toThrow('--only-data-classes: photos has all 2 classes of a; omit it');
  });

  it('refuses an ensemble of different classes', () => {
    const data = dataset(['red', 'blue']);
    expect(() =>
      competingClasses(data, [model('a', 'red', 'blue'), model('b', 'red', 'blue', 'green')]),
    ).toThrow('a has 2 classes and b has 3: an ensemble needs the same; --only-data-classes lets');
  });

  it('matches members without labels by order, whichever comes first, and says so', () => {
    const [named, unnamed] = [model('a', 'red', 'blue'), model('b', 'class 0', 'class 1')];
    const notice =
      "b has no labels; its 2 outputs are taken for the classes of a in their order (0 is 'red', 1 is 'blue')";
    for (const models of [
      [named, unnamed],
      [unnamed, named],
    ] as const) {
      const { dataset: scored, outputs, notices } = competingClasses(dataset(['blue', 'red']), models);
      expect([labelsOf(scored), outputs, notices]).toEqual([
        [1, 0],
        [
          [0, 1],
          [0, 1],
        ],
        [notice],
      ]);
    }
    const restricted = competingClasses(dataset(['blue']), [unnamed, named], { onlyDataClasses: true });
    expect([restricted.outputs, restricted.notices]).toEqual([[[1], [1]], [notice]]);
  });

  it('leaves images without labels unlabelled', () => {
    const { dataset: scored, notices } = competingClasses(dataset([], [-1, -1]), [model('a', 'x', 'y')]);
    expect([labelsOf(scored), scored.classes, notices]).toEqual([[-1, -1], ['x', 'y'], []]);
  });
});
