/** The table of network options: the values and texts that each accepts. */
import { describe, expect, it } from 'vitest';
import type { Option } from '../option.ts';
import { drawnOptions } from './drawn-options.ts';
import { type NetworkOptionName, networkOptions } from './network-options.ts';
import { findNetwork } from './networks.ts';

const entries = Object.entries(networkOptions) as [NetworkOptionName, Option<unknown>][];

describe('an option of a network', () => {
  it.each<[name: NetworkOptionName, text: string, value: unknown]>([
    ['classes', '0', 0],
    ['inputSize', '299', 299],
    ['inputSize', '299x224', [299, 224]],
    ['width', '0.25', 0.25],
    ['blocks', '5,10,5', { A: 5, B: 10, C: 5 }],
    ['blocks', '4,,3', { A: 4, C: 3 }],
    ['residualScale', 'off', 'off'],
    ['residualScale', '0.2', 0.2],
    ['residualScale', '0.17,0.1,0.2', { A: 0.17, B: 0.1, C: 0.2 }],
    ['hidden', '256,128', [256, 128]],
    ['hidden', 'none', []],
    ['gamma', 'false', false],
    ['shortcuts', 'false', false],
    ['sumNorm', 'last', 'last'],
  ])('%s is parsed from the text %s', (name, text, value) => {
    const option = networkOptions[name];
    expect(option.parse(text)).toEqual(value);
    expect(option.accepts(option.parse(text))).toBe(true);
  });

  it.each<[name: NetworkOptionName, text: string]>([
    ['classes', '-1'],
    ['classes', '1e3.5'],
    ['inputSize', '299x'],
    ['inputSize', '299x224x3'],
    ['width', ''],
    ['width', 'Infinity'],
    ['blocks', '1,2'],
    ['blocks', '1,2,3,4'],
    ['blocks', ',,'],
    ['blocks', '0,1,1'],
    ['blocks', '1,two,1'],
    ['residualScale', 'on'],
    ['residualScale', '0'],
    ['dropoutKeep', '1.01'],
    ['hidden', ''],
    ['hidden', '256,'],
    ['hidden', '1,2,3,4,5,6,7,8,9'],
    ['gamma', 'no'],
    ['sumNorm', 'first'],
  ])('%s rejects the text %j', (name, text) => {
    const option = networkOptions[name];
    expect(option.accepts(option.parse(text))).toBe(false);
  });

  it.each(entries)('%s accepts its own value in the network as drawn', (name, option) => {
    const drawn = drawnOptions(findNetwork('inception-resnet-v1-facenet'));
    expect(option.accepts(drawn[name])).toBe(true);
  });

  it('is undefined in a network that it does not apply to', () => {
    const { residualScale, shortcuts, sumNorm, embedding, ...rest } = drawnOptions(
      findNetwork('inception-v4'),
    );
    expect([residualScale, shortcuts, sumNorm, embedding]).toEqual(Array(4).fill(undefined));
    expect(rest).toEqual({
      classes: 1000,
      inputSize: 299,
      width: 1,
      hidden: [],
      blocks: { A: 4, B: 7, C: 3 },
      auxiliary: false,
      dropoutKeep: 0.8,
      inputChannels: 3,
      gamma: true,
      countPadding: false,
    });
  });
});
