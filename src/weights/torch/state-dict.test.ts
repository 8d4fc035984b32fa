import { describe, expect, it } from 'vitest';
import { TorchStorage, TorchTensor } from './objects.ts';
import { Placeholder } from './pickle.ts';
import { findStateDict } from './state-dict.ts';

const storage = new TorchStorage({ key: '0', type: 'float32', count: 1 });
const tensor = new TorchTensor({ storage, type: 'float32', offset: 0, shape: [1], stride: [1] });
const dict = (entries: Record<string, unknown>) => new Map(Object.entries(entries));
const weights = (...names: string[]) => dict(Object.fromEntries(names.map((name) => [name, tensor])));

const read = (value: unknown) => {
  const { tensors, decisions } = findStateDict(value);
  return [[...tensors.keys()], decisions];
};

describe('findStateDict', () => {
  it.each(['net', 'network', 'weights', 'model_state', 'anything'])('finds the weights under %s', (key) => {
    expect(read(dict({ epoch: 1, [key]: weights('a', 'b') }))).toEqual([
      ['a', 'b'],
      [`weights under the key '${key}'`],
    ]);
  });

  it('finds them under keys of keys, and beside a few other tensors', () => {
    const checkpoint = dict({ best: tensor, run: dict({ net: weights('a', 'b', 'c') }) });
    expect(read(checkpoint)).toEqual([['a', 'b', 'c'], ["weights under the key 'run.net'"]]);
  });

  it('prefers averaged weights under any such key', () => {
    expect(read(dict({ net: weights('a'), ema_net: weights('a') }))).toEqual([
      ['a'],
      ["weights under the key 'ema_net', not 'net'"],
    ]);
    expect(read(dict({ state_dict: weights('a'), state_dict_ema: weights('b') }))[0]).toEqual(['b']);
  });

  it('refuses several of which none is preferred', () => {
    const both = dict({ teacher: weights('a', 'b'), student: weights('a', 'b') });
    expect(() => findStateDict(both)).toThrow(
      "it has several sets of tensors, under 'teacher' (2), 'student' (2); save the one that is meant: torch.save(checkpoint['…'], path)",
    );
  });

  it('leaves out entries that are no tensors, and says how many', () => {
    expect(read(dict({ a: tensor, step: 7, when: new Placeholder('datetime.datetime') }))).toEqual([
      ['a'],
      ['2 entries beside the weights are no tensors and were left out'],
    ]);
  });

  it("names a whole module's tensors as its state_dict does", () => {
    const module = (parts: Record<string, unknown>) => {
      const placeholder = new Placeholder('mine.Net');
      placeholder.attributes = dict({
        _parameters: dict({}),
        _buffers: dict({}),
        _modules: dict({}),
        ...parts,
      });
      return placeholder;
    };
    const inner = module({ _parameters: weights('weight'), _buffers: weights('running_mean') });
    expect(read(module({ _modules: dict({ bn: inner, none: null }) }))[0]).toEqual([
      'bn.weight',
      'bn.running_mean',
    ]);
    const loop = module({});
    (loop.attributes as Map<string, unknown>).set('_modules', dict({ a: loop, b: loop }));
    expect(() => findStateDict(loop)).toThrow('it is a module whose modules are nested without end');
  });

  it('says what a file has instead', () => {
    expect(() => findStateDict(tensor)).toThrow('expected a state_dict, the file contains a single tensor');
    expect(() => findStateDict(new Placeholder('mine.Cfg'))).toThrow(
      "contains an object of 'mine.Cfg'; save it",
    );
    expect(() => findStateDict(dict({ a: new Placeholder('numpy._core.multiarray._reconstruct') }))).toThrow(
      'its values are NumPy arrays, not tensors; save it with torch.save({k: torch.from_numpy(v)',
    );
  });
});
