import { describe, expect, it } from 'vitest';
import { imagenetLabels, imagenetNames, imagenetSynsets, unnamedLabels } from './imagenet-labels.ts';

describe('ImageNet’s classes', () => {
  it('are 1,000 names and synsets without repetition, in the order of the synsets', () => {
    for (const list of [imagenetNames, imagenetSynsets]) expect(new Set(list).size).toBe(1000);
    expect([...imagenetSynsets].sort()).toEqual(imagenetSynsets);
    expect(imagenetSynsets.every((id) => /^n\d{8}$/.test(id))).toBe(true);
  });

  it('have torchvision’s names and timm’s synsets', () => {
    // A few, with classes whose first words are the same.
    const known = {
      0: ['n01440764', 'tench'],
      134: ['n02012849', 'crane bird'],
      207: ['n02099601', 'golden retriever'],
      517: ['n03126707', 'crane'],
      638: ['n03710637', 'maillot'],
      639: ['n03710721', 'maillot tank suit'],
      812: ['n04266014', 'space shuttle'],
      945: ['n07720875', 'bell pepper'],
      999: ['n15075141', 'toilet tissue'],
    };
    for (const [index, expected] of Object.entries(known))
      expect([imagenetSynsets[Number(index)], imagenetNames[Number(index)]]).toEqual(expected);
  });

  it('are the labels of 1,000 outputs, or of 1,001 after a background', () => {
    expect(imagenetLabels(1000)?.classes[1]).toBe('goldfish');
    expect(imagenetLabels(1001)?.classes.slice(0, 2)).toEqual(['background', 'tench']);
    expect(imagenetLabels(1001)?.classIds).toHaveLength(1001);
    expect(imagenetLabels(999)).toBeUndefined();
  });

  it('are given to outputs without labels, which is said', () => {
    expect(unnamedLabels(1001)).toMatchObject({
      classes: { 1: 'tench' },
      decision: "no labels: the 1,001 outputs are taken for ImageNet's classes after a background",
    });
    expect(unnamedLabels(2)).toEqual({ classes: ['class 0', 'class 1'] });
  });
});
