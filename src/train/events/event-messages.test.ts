/** Records against TensorBoard's own; test/fixtures/tensorboard/write.py says how they were written. */
import { describe, expect, it } from 'vitest';
import { readFixture } from '../../../test/golden/fixture.ts';
import { beginning, concatenated, type EventValue, encodeEvent } from './event-messages.ts';

const { seconds, ...expected } = readFixture<{ readonly seconds: number } & Record<string, string>>(
  'tensorboard/events.json',
);
const bytesOf = (name: string): Uint8Array => new Uint8Array(Buffer.from(String(expected[name]), 'base64'));

describe('a record of an event file', () => {
  it.each<[string, number, EventValue]>([
    ['scalars', 1504, { kind: 'scalars', values: { 'train/loss': 0.75, 'train/epoch': 2.5 } }],
    [
      'image',
      3_000_000_000,
      { kind: 'image', tag: 'train/images', png: Buffer.from('\x89PNG bytes', 'latin1'), size: [2, 3] },
    ],
    ['number', 0, { kind: 'hyperparameters', values: { 'recipe.learningRate': 0.045 } }],
    ['text', 0, { kind: 'hyperparameters', values: { network: 'inception-v4' } }],
    ['truth', 0, { kind: 'hyperparameters', values: { 'recipe.keepBest': true } }],
    ['end', 12, { kind: 'end' }],
  ])('has the bytes that TensorBoard writes: %s', (name, step, value) => {
    expect(encodeEvent({ step, seconds, value })).toEqual(bytesOf(name));
  });

  it('comes after the version and the begin of a session', () => {
    expect(beginning(seconds)).toEqual(concatenated([bytesOf('version'), bytesOf('start')]));
  });
});
