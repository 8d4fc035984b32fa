/** A small training with the command line, in a separate process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodePng } from '../../src/data/decode.ts';
import { openData } from '../../src/data/open-data.ts';

const command = fileURLToPath(new URL('../../bin/inception', import.meta.url));

/** Runs the built command; a failure includes its output. */
export async function inception(args: readonly string[]): Promise<void> {
  // Spinning threads would take CPU time from the browser.
  const env = { ...process.env, OMP_WAIT_POLICY: 'passive', NO_COLOR: '1' };
  const child = spawn(process.execPath, [command, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let output = '';
  child.stderr.on('data', (data) => {
    output += data;
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`inception ${args.join(' ')} failed with ${code}:\n${output.slice(-2000)}`);
}

/** Trains the smallest network on 160 images of Fashion-MNIST, in a few seconds. */
export const trainSmall = (out: string): Promise<void> =>
  inception([
    ...['train', 'inception-resnet-v2', '--data', 'fashion-mnist', '--recipe', 'small-data'],
    ...['--width', '0.125', '--blocks', '1,1,1', '--input-size', '75', '--limit-train', '160'],
    ...['--limit-validation', '60', '--limit-test', '60', '--batch', '16', '--epochs', '2', '--out', out],
  ]);

/** Writes one image of Fashion-MNIST's test data as PNG. */
export async function writeImage(folder: string, index: number): Promise<string> {
  const path = join(folder, `image-${index}.png`);
  const data = await openData('fashion-mnist', 'test');
  await writeFile(path, await encodePng(await data.image(index)));
  return path;
}
