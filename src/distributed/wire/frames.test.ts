import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFrameReader, FrameError, frameOf, greetingBytes, heartbeat } from './frames.ts';
import { readMessage } from './messages.ts';

describe('frames', () => {
  it('come out as they went in, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme' })),
        fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
        (texts, cuts) => {
          const bytes = Buffer.concat(texts.map((text) => (text === '' ? heartbeat : frameOf(text))));
          const reader = createFrameReader();
          const read: string[] = [];
          for (let start = 0; start < bytes.length; ) {
            const end = start + (cuts.next().value as number);
            read.push(...reader.read(bytes.subarray(start, end)));
            start = end;
          }
          expect(read).toEqual(texts);
        },
      ),
    );
  });

  it('of a length beyond the limit are refused before their bytes come', () => {
    const header = Buffer.alloc(4);
    header.writeUInt32BE(greetingBytes + 1);
    expect(() => createFrameReader().read(header)).toThrow(
      new FrameError('a message of 65537 bytes; expected at most 65536'),
    );
    expect(createFrameReader(greetingBytes + 1).read(header)).toEqual([]);
  });

  it('are not written beyond the longest that is read', () => {
    expect(() => frameOf('x'.repeat(256 * 1024 * 1024 + 1))).toThrow(
      'a message of 268435457 bytes is too long to be sent to the other processes; expected at most 268435456',
    );
  });
});

describe('a message', () => {
  it('is read or refused with a FrameError, whatever the text', () => {
    expect(readMessage('{"kind":"result","call":3000000000,"method":"gather","value":[1,null]}')).toEqual({
      ...{ kind: 'result', call: 3_000_000_000, method: 'gather', value: [1, null] },
    });
    expect(() => readMessage('{"kind":"bye","more":1}')).toThrow(FrameError);
    expect(() => readMessage('{"kind":"start","hosts":[],"machines":[-1],"address":""}')).toThrow(
      /machines\.0/,
    );
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => readMessage(text)).toThrow(FrameError);
      }),
    );
  });
});
