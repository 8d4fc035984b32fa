import { describe, expect, it } from 'vitest';
import { matchClasses } from './match-classes.ts';

const names = { data: 'photos', model: 'm.safetensors' };
const match = (data: string[], classes: string[], classIds?: string[]) =>
  matchClasses(data, { classes, ...(classIds && { classIds }) }, names);

describe('matchClasses', () => {
  it('matches by name in any order, and may use only some of the outputs', () => {
    expect(match(['dog', 'cat'], ['cat', 'cow', 'dog'])).toEqual([2, 0]);
  });

  it('matches by identifier where labels are descriptions', () => {
    expect(match(['n02', 'n01'], ['a tench', 'a goldfish'], ['n01', 'n02'])).toEqual([1, 0]);
  });

  it('matches by order only where the model has generic labels', () => {
    expect(match(['cat', 'dog'], ['class 0', 'class 1'])).toEqual([0, 1]);
    expect(() => match(['cat', 'dog'], ['class 0', 'class 1', 'class 2'])).toThrow(
      'photos has 2 classes, m.safetensors has 3',
    );
  });

  it('names the classes that the model does not have', () => {
    expect(() => match(['cat', 'yak'], ['cat', 'dog'])).toThrow(
      'm.safetensors lacks 1 of the 2 classes of photos: yak; it has cat, dog, …',
    );
  });
});
