/** The numbers of a run that are not the recipe's, each declared once: range, flag, file and help. */
import { defaultValidation, validationRange } from '../../data/splits/open-splits.ts';
import { durationOption, numberOption } from '../../option.ts';

const count = { whole: true, atLeast: 1 };

export const runNumbers = {
  seed: numberOption({
    whole: true,
    atLeast: 0,
    // The random generator takes 32 bits: larger seeds would be equal to smaller ones.
    atMost: 2 ** 32 - 1,
    flag: '--seed <n>',
    about: 'random seed (initialisation, shuffling, augmentation, dropout)',
    label: 'Seed',
    default: '1',
  }),
  limitTrain: numberOption({
    ...count,
    flag: '--limit-train <n>',
    about: 'train on at most n images',
    label: 'Training images at most',
  }),
  validation: numberOption({
    ...validationRange,
    flag: '--validation <fraction>',
    about:
      'part of the training images of each class to validate on, where --data has no folder val; 0: none',
    label: 'Validation images (fraction)',
    default: String(defaultValidation),
  }),
  limitValidation: numberOption({
    ...count,
    flag: '--limit-validation <n>',
    about: 'validate on at most n images',
    label: 'Validation images at most',
  }),
  limitTest: numberOption({
    ...count,
    flag: '--limit-test <n>',
    about: 'test on at most n images',
    label: 'Test images at most',
  }),
  timeSeconds: durationOption({
    flag: '--time <time>',
    about: 'fit epochs and schedule into this time (90s, 30m, 2h), by a few timed steps; instead of --epochs',
    label: 'Time (seconds)',
  }),
  evaluateEvery: numberOption({
    ...count,
    flag: '--evaluate-every <n>',
    about: 'epochs between evaluations on the validation images',
    label: 'Epochs between evaluations',
    default: '1',
  }),
  saveEvery: numberOption({
    ...count,
    flag: '--save-every <n>',
    about: 'also save a checkpoint every n steps, besides every epoch',
    label: 'Steps between checkpoints',
  }),
};

/** How often a run is evaluated and saved. */
export interface RunPace {
  /** Epochs between evaluations. Default 1. */
  readonly evaluateEvery?: number | undefined;
  /** Steps between checkpoints, in addition to one per epoch and one every ten minutes. */
  readonly saveEverySteps?: number | undefined;
}
