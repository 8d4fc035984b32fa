import { describe, expect, it } from 'vitest';
import { sampleConfiguration } from '../../../test/sample-run.ts';
import type { Splits } from '../../data/splits/open-splits.ts';
import type { Configuration } from './configuration.ts';
import { remember, rememberedSplits } from './opened-splits.ts';

describe('the splits that a configuration was made of', () => {
  it('are those of its copies, and not of a configuration that is read from a file', () => {
    const splits = { train: {}, validationFrom: 0 } as Splits;
    const files = remember({ train: { images: 2, sha256: 'a' } }, splits);
    const configuration: Configuration = { ...sampleConfiguration, files };
    const copy: Configuration = { ...configuration, seed: 2 };
    expect(rememberedSplits(copy)).toBe(splits);
    expect(rememberedSplits(JSON.parse(JSON.stringify(configuration)))).toBeUndefined();
    expect(rememberedSplits(sampleConfiguration)).toBeUndefined();
  });
});
