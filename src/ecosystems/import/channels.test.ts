import { describe, expect, it } from 'vitest';
import { readFixture } from '../../../test/golden/fixture.ts';
import { adaptChannels } from './channels.ts';

describe('adaptChannels', () => {
  interface Case {
    readonly channels: number;
    readonly shape: readonly number[];
    readonly weight: readonly number[];
    readonly expected: readonly number[];
  }
  const { cases } = readFixture<{ cases: readonly Case[] }>('timm-channels/expected.json');

  it.each(cases.map((example) => [example.channels, example] as const))(
    'gives timm’s weights for %i channels',
    (_, { weight, shape, channels, expected }) => {
      const adapted = adaptChannels(Float32Array.from(weight), shape, channels);
      expected.forEach((value, index) => {
        expect(adapted[index]).toBeCloseTo(value, 6);
      });
      expect(adapted).toHaveLength(expected.length);
    },
  );
});
