import { expect, it } from 'vitest';
import { imagenetLabels } from '../model/imagenet-labels.ts';
import { acceptedLabels } from './real-labels.ts';

const real = (index: number) => [[0, 999], [7], []][index] as number[];
const image = (index: number) => ({ index, label: 0 });

it('maps ImageNet’s numbers to outputs by synset, and by number where there are none', () => {
  const withBackground = acceptedLabels(
    real,
    imagenetLabels(1001) as { classes: string[]; classIds: string[] },
  );
  expect([0, 1, 2].map((index) => withBackground(image(index)))).toEqual([[1, 1000], [8], []]);
  const classes = Array.from({ length: 1000 }, (_, index) => `class ${index}`);
  expect(acceptedLabels(real, { classes })(image(0))).toEqual([0, 999]);
});

it('leaves out what does not compete, and refuses what is not ImageNet', () => {
  const some = { classes: ['toilet tissue', 'cock'], classIds: ['n15075141', 'n01514668'] };
  expect([0, 1].map((index) => acceptedLabels(real, some)(image(index)))).toEqual([[0], [1]]);
  expect(() => acceptedLabels(real, { classes: ['cat', 'dog'] })).toThrow(
    'expected a model with as many outputs or with synsets, received 2 classes',
  );
  expect(() => acceptedLabels(() => [1000], some)(image(0))).toThrow(
    "expected ImageNet's numbers 0 to 999, received 1000",
  );
});
