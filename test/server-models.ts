/** A trivial model with predictable results, for tests of the server. */
import sharp from 'sharp';
import { standardPreprocessing } from '../src/images/preprocess.ts';
import { imagesInput, type ServedModel, type Values } from '../src/server/models/served-model.ts';

export interface ColourModel extends ServedModel {
  /** Sizes of the batches so far. */
  readonly batches: number[];
  /** The next batches wait until what this returns is called. */
  hold(): () => void;
}

/** Three classes, red, green and blue; the probability of each is its channel's fraction of the sum over a 4×4 image. */
export function colourModel({ name = 'colours', batch = 8 } = {}): ColourModel {
  let held: Promise<void> | undefined;
  const preprocessing = standardPreprocessing([4, 4], { crop: 1 });
  const batches: number[] = [];
  return {
    name,
    platform: 'test',
    source: 'test',
    classes: ['red', 'green', 'blue'],
    preprocessing,
    input: imagesInput(preprocessing),
    output: { name: 'probabilities', datatype: 'FP32', shape: [3] },
    batch,
    batches,
    hold: () => {
      let release = (): void => {};
      held = new Promise((resolve) => {
        release = resolve;
      });
      return () => release();
    },
    run: async (rows) => {
      const count = rows.length / 48;
      batches.push(count);
      await held;
      const result = new Float32Array(count * 3);
      for (let row = 0; row < count; row++)
        result.set(fractions(rows.subarray(row * 48, (row + 1) * 48)), row * 3);
      return result;
    },
    close: async () => {},
  };
}

function fractions(row: Values): number[] {
  const sums = [0, 0, 0];
  row.forEach((value, index) => {
    sums[index % 3] = (sums[index % 3] as number) + value;
  });
  const total = sums.reduce((sum, value) => sum + value, 0) || 1;
  return sums.map((sum) => sum / total);
}

export const colours = { red: '#ff0000', green: '#00ff00', blue: '#0000ff' } as const;

/** An image file of one colour. */
export const imageFile = (
  colour: keyof typeof colours,
  { format = 'png', side = 8 }: { format?: 'png' | 'jpeg' | 'webp'; side?: number } = {},
): Promise<Buffer> =>
  sharp({ create: { width: side, height: side, channels: 3, background: colours[colour] } })
    .toFormat(format)
    .toBuffer();
