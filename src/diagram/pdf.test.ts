import { describe, expect, it } from 'vitest';
import { configure, findNetwork } from '../networks/networks.ts';
import {
  conv,
  fullyConnected,
  globalAvgPool,
  maxPool,
  type Network,
  sequence,
} from '../networks/notation.ts';
import { diagramSheet } from './diagram.ts';
import { pdfOf } from './pdf.ts';

const written = (...arguments_: Parameters<typeof diagramSheet>) =>
  Buffer.from(pdfOf(diagramSheet(...arguments_))).toString('latin1');

describe('a diagram as PDF', () => {
  it('has every object where its table says, and a stream as long as it says', () => {
    const pdf = written(configure(findNetwork('inception-v4')));
    const table = pdf.slice(Number(/startxref\n(\d+)/.exec(pdf)?.[1]));
    const offsets = [...table.matchAll(/^(\d{10}) 00000 n $/gm)].map(([, offset]) => Number(offset));
    expect(offsets).toHaveLength(8);
    offsets.forEach((offset, index) => {
      expect(pdf.slice(offset, offset + 7)).toBe(`${index + 1} 0 obj`);
    });
    const [, length, stream] = /\/Length (\d+) >>\nstream\n(.*)\nendstream/s.exec(pdf) ?? [];
    expect(stream?.length).toBe(Number(length));
  });

  it('has the texts, with arrows from Symbol and the sign of multiplication from WinAnsi', () => {
    const pdf = written(configure(findNetwork('inception-v4')), { part: 'reductionA' });
    expect(pdf).toContain(
      '35\\32735\\327384 ) Tj /symbol 13 Tf (\\256) Tj /text 13 Tf ( 17\\32717\\3271024) Tj',
    );
    expect(pdf).toContain('(Filter concat) Tj');
  });

  it('refuses characters that its fonts do not have, and says what to do', () => {
    const network: Network = {
      name: 'own',
      about: 'for a test',
      input: [8, 8, 3],
      classes: 2,
      layers: {
        stem: sequence(conv('3x3', 8), maxPool('3x3', 'stride 2')),
        averagePooling: globalAvgPool(),
        logits: fullyConnected(),
      },
      printed: { stem: { departures: { '': 'по памяти' } } },
    };
    expect(() => written(configure(network))).toThrow(
      "a .pdf cannot have 'п' in its text; use characters of ASCII, or write an .svg or a .png",
    );
  });
});
