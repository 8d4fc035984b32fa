import { describe, expect, it } from 'vitest';
import { ReceiveBudget } from './receive-budget.ts';

function budget() {
  const all = new ReceiveBudget({ bytes: 100, perUpload: 40 });
  const reading = new Map<string, boolean>();
  const open = (name: string, address: string) => {
    reading.set(name, true);
    return all.open(address, {
      pause: () => reading.set(name, false),
      resume: () => reading.set(name, true),
    });
  };
  const read = () => [...reading].filter(([, on]) => on).map(([name]) => name);
  return { all, open, read };
}

describe('ReceiveBudget', () => {
  it('counts what has arrived, not what is announced: eight uploads of one byte keep nobody out', () => {
    const { all, open } = budget();
    for (let each = 0; each < 8; each++) open(`slow ${each}`, 'a').add(1);
    expect([all.admits('a'), all.admits('b')]).toEqual([true, true]);
  });

  it('gives one address half of it, so that the others can still send', () => {
    const { all, open, read } = budget();
    open('first', 'a').add(30);
    open('second', 'a').add(30);
    expect(read()).toEqual(['first']);
    expect([all.admits('a'), all.admits('b')]).toEqual([false, true]);
    open('third', 'b').add(30);
    expect(read()).toEqual(['first', 'third']);
  });

  it('lets uploads wait when all of it is taken, and goes on as bodies are answered', () => {
    const { all, open, read } = budget();
    const uploads = ['a', 'b', 'c'].map((address) => ({ address, upload: open(address, address) }));
    for (const { upload } of uploads) upload.add(40);
    expect(read()).toEqual(['a', 'b']);
    expect(all.admits('d')).toBe(false);
    uploads[1]?.upload.close();
    expect(read()).toEqual(['a', 'b', 'c']);
    expect(all.admits('d')).toBe(true);
  });

  it('always lets the oldest upload go on, so that full uploads cannot wait for each other', () => {
    const { open, read } = budget();
    const [first, second, third] = [open('first', 'a'), open('second', 'b'), open('third', 'c')];
    for (const upload of [first, second, third]) upload.add(39);
    second.add(20);
    first.add(20);
    expect(read()).toEqual(['first']);
    first.finish();
    expect(read()).toEqual(['first', 'second']);
  });

  it('forgets addresses that hold nothing', () => {
    const { all, open } = budget();
    const upload = open('one', 'a');
    upload.add(60);
    expect(all.admits('a')).toBe(false);
    upload.close();
    upload.close();
    expect(all.admits('a')).toBe(true);
  });
});
