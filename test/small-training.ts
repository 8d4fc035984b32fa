/** A data set of tiny images, a network that learns it in seconds, and all that a training of it leaves, for tests of the command line. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { randomFor } from '../src/random.ts';
import { openSafetensors } from '../src/weights/safetensors/safetensors.ts';

const images = { train: [30, 18], val: [8, 5], test: [6, 6] } as const;

/** Two classes of which one is lighter; each split has a file that is no image. */
export async function writeImages(folder: string): Promise<void> {
  for (const [split, counts] of Object.entries(images))
    for (const [label, count] of counts.entries()) {
      const own = join(folder, split, ['dark', 'light'][label] as string);
      mkdirSync(own, { recursive: true });
      for (let index = 0; index < count; index++) {
        const random = randomFor(counts[0], label, index);
        const pixels = Uint8Array.from({ length: 24 * 24 * 3 }, () => random() * 200 + label * 55);
        await sharp(pixels, { raw: { width: 24, height: 24, channels: 3 } })
          .png()
          .toFile(join(own, `${index}.png`));
      }
    }
  for (const split of Object.keys(images)) writeFileSync(join(folder, split, 'dark', 'broken.png'), 'no PNG');
}

/** Two convolutions with batch normalisation, dropout and a classifier: as small as one can be that has every kind of state. */
export function writeNetwork(file: string, { keep = 0.8 }: { readonly keep?: number } = {}): string {
  const conv = (filters: number) => ({ kind: 'conv', window: '3x3', filters, marks: 'stride 2' });
  const network = {
    name: 'small',
    about: 'two convolutions',
    input: [16, 16, 3],
    classes: 2,
    layers: {
      stem: conv(4),
      middle: conv(8),
      averagePooling: { kind: 'globalAvgPool' },
      dropout: { kind: 'dropout', keep },
      logits: { kind: 'fullyConnected' },
    },
  };
  writeFileSync(file, JSON.stringify(network));
  return file;
}

/** Times and memory differ from run to run; nothing else may. */
const varying = /"(elapsedSeconds|imagesPerSecond|waitShare|residentBytes|elapsed|waited)":[^,}]+/g;
const steady = (text: string): string => text.replaceAll(varying, '"$1":0');

const digest = (data: ArrayBufferView): string =>
  createHash('sha256')
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest('hex')
    .slice(0, 16);

/** A file of weights as a text for each of its tensors, and for its state. */
export async function tensorsIn(path: string): Promise<Readonly<Record<string, string>>> {
  const file = await openSafetensors(path);
  try {
    const state = file.metadata.get('state');
    const found: Record<string, string> = state === undefined ? {} : { state: steady(state) };
    for (const name of file.tensors.keys()) found[name] = digest((await file.read(name)).data);
    return found;
  } finally {
    await file.close();
  }
}

/** The numbers of a file of weights by the names of its tensors. */
export async function numbersIn(path: string): Promise<ReadonlyMap<string, readonly number[]>> {
  const file = await openSafetensors(path);
  try {
    const found = new Map<string, readonly number[]>();
    for (const name of file.tensors.keys()) found.set(name, Array.from((await file.read(name)).data, Number));
    return found;
  } finally {
    await file.close();
  }
}

export const checkpointsOf = (run: string): readonly string[] =>
  readdirSync(join(run, 'checkpoints'))
    .filter((name) => /^\d+\.safetensors$/.test(name))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));

/** What a training has made, without its times: two runs with the same contents are the same training, bit for bit. */
export async function contentsOf(run: string): Promise<object> {
  const last = checkpointsOf(run).at(-1) as string;
  const text = (name: string) => steady(readFileSync(join(run, name), 'utf8'));
  return {
    last,
    checkpoint: await tensorsIn(join(run, 'checkpoints', last)),
    model: await tensorsIn(join(run, 'model.safetensors')),
    metrics: text('metrics.jsonl').trim().split('\n'),
    evaluation: text('evaluation.json'),
    skipped: JSON.parse(text('data.json'))
      .skipped.map(({ file }: { file: string }) => file)
      .sort(),
  };
}
