import { describe, expect, it } from 'vitest';
import { alignClasses } from './align-classes.ts';
import type { Dataset } from './dataset.ts';

const dataset = (classes: readonly string[]): Dataset => ({
  name: 'photos/val',
  length: classes.length,
  classes,
  label: (index) => index,
  nameOf: String,
  image: (index) => ({ height: 1, width: 1, channels: 1, data: Uint8Array.of(index) }),
});

describe('the classes of another split', () => {
  it('are matched by name, and those without images are said', () => {
    const aligned = alignClasses(dataset(['bus', 'tram']), { classes: ['bus', 'car', 'tram'] });
    expect([0, 1].map((index) => aligned.label(index))).toEqual([0, 2]);
    expect(aligned.classes).toEqual(['bus', 'car', 'tram']);
    expect(aligned.report?.decisions).toEqual(['photos/val: has no images of 1 of the 3 classes (car)']);
  });

  it('change nothing if they are the same', () => {
    const same = dataset(['bus', 'car']);
    expect(alignClasses(same, { classes: ['bus', 'car'] })).toBe(same);
  });

  it('must hold every class of this one', () => {
    expect(() => alignClasses(dataset(['bus', 'plane']), { classes: ['bus', 'car'] })).toThrow(
      'photos/val: expected the classes of training (bus, car), received others too: plane',
    );
  });

  it('are matched by identifier where both have them: one crane of two is not called as both are', () => {
    const ofTraining = {
      classes: ['crane (n02012849)', 'crane (n03126707)'],
      classIds: ['n02012849', 'n03126707'],
    };
    const aligned = alignClasses({ ...dataset(['crane']), classIds: ['n03126707'] }, ofTraining);
    expect([aligned.classes, aligned.classIds, aligned.label(0)]).toEqual([
      ofTraining.classes,
      ofTraining.classIds,
      1,
    ]);
  });
});
