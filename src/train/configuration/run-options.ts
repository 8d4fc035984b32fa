/** The numbers of a run that are not the recipe's, each declared once: range, flag, file and help. */
import { numberOption } from '../../option.ts';

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
  limitTest: numberOption({
    ...count,
    flag: '--limit-test <n>',
    about: 'evaluate on at most n images',
    label: 'Test images at most',
  }),
  evaluateEvery: numberOption({
    ...count,
    flag: '--evaluate-every <n>',
    about: 'epochs between evaluations',
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
