/** Output streams, exit codes and JSON of the command line. What concerns the process runs the built command, so it needs a build. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { inception } from './command-in-process.ts';

const command = fileURLToPath(new URL('../bin/inception', import.meta.url));

/** The environment without colour settings. */
const plain = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => name !== 'NO_COLOR' && name !== 'FORCE_COLOR'),
);

/** The built command, in a process of its own. */
function built(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
    encoding: 'utf8',
    env: { ...plain, ...env },
  });
  return { status, stdout, stderr };
}

describe('inception summary --json', () => {
  it.each<[args: readonly string[], parameters: number]>([
    [['inception-v3'], 23_834_568],
    [['inception-v3', '--auxiliary'], 27_161_264],
    [['inception-v4'], 42_679_816],
    [['inception-resnet-v2-released'], 55_843_464],
  ])('of %j prints only JSON and counts %i parameters', async (args, parameters) => {
    const { status, stdout, stderr } = await inception(['summary', ...args, '--json']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const summary = JSON.parse(stdout);
    expect(summary).toMatchObject({ parameters, outputShape: [1000] });
    expect(Object.keys(summary).sort()).toEqual(
      ['network', 'options', 'input', 'parameters', 'macs', 'activations', 'outputShape', 'layers'].sort(),
    );
    expect(summary.layers[0]).toEqual({
      name: 'stem/conv1',
      op: 'conv',
      what: 'conv 3×3 stride 2',
      shape: [149, 149, 32],
      parameters: 928,
      macs: 19_181_664,
      activations: 710_432,
      receptiveField: {
        vertical: { size: 3, stride: 2, start: 0 },
        horizontal: { size: 3, stride: 2, start: 0 },
      },
    });
  });

  it('accepts every network option', async () => {
    const options =
      '--classes 10 --input-size 75x91 --width 0.25 --blocks 1,2,1 --residual-scale 0.1,0.2,0.3 --dropout-keep 0.9';
    const { stdout } = await inception(['summary', 'inception-resnet-v2', ...options.split(' '), '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      input: [75, 91, 3],
      outputShape: [10],
      options: {
        classes: 10,
        inputSize: [75, 91],
        width: 0.25,
        blocks: { A: 1, B: 2, C: 1 },
        residualScale: { A: 0.1, B: 0.2, C: 0.3 },
        dropoutKeep: 0.9,
      },
    });
  });
});

describe('printed output', () => {
  it('fits 100 columns, with and without layers', async () => {
    for (const args of [[], ['--layers'], ['--layers', '--receptive-fields']]) {
      const { stdout } = await inception(['summary', 'inception-resnet-v2-released', ...args]);
      expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    }
  });

  it('lists receptive fields, as TensorFlow computes them for the last part of Inception-v4', async () => {
    const { stdout } = await inception(['summary', 'inception-v4', '--receptive-fields']);
    expect(stdout).toMatch(/inceptionC\/2 +│ +2071 │ +32 │ +-998 │ 100\.0%/);
    expect(await inception(['summary', 'inception-v4', '--json', '--receptive-fields'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(
        '--receptive-fields: has no effect with --json, which prints every layer with everything known of it',
      ),
    });
  });

  it('is coloured with FORCE_COLOR, and never with NO_COLOR', () => {
    const args = ['summary', 'inception-v3'];
    expect(built(args, { FORCE_COLOR: '1' }).stdout).toContain('\u001b[');
    expect(built(args, { NO_COLOR: '1' }).stdout).not.toContain('\u001b[');
    expect(built(args).stdout, 'a pipe').not.toContain('\u001b[');
    expect(built(args, { CI: 'true' }).stdout, 'a pipe in a CI job').not.toContain('\u001b[');
  });

  it('ends quietly when its reader closes the pipe', () => {
    const line = `'${process.execPath}' '${command}' program inception-v4 --for train | head -n 1`;
    const { stdout, stderr } = spawnSync('sh', ['-c', line], { encoding: 'utf8' });
    expect({ stdout, stderr }).toEqual({
      stdout: 'program inception-v4 train batch 8 float32\n',
      stderr: '',
    });
  });
});

describe('wrong usage', () => {
  it.each<[args: string, message: string]>([
    ['sumary inception-v4', "inception: unknown command 'sumary'\n(Did you mean summary?)\n"],
    ['summary inception-v4 --clases 3', "inception: unknown option '--clases'\n(Did you mean --classes?)\n"],
    ['summary', "inception: missing required argument 'network'\n"],
    [
      'summary inception-v5',
      "inception: no network is called 'inception-v5'; there are inception-v3, inception-v4, inception-resnet-v1, inception-resnet-v2, inception-resnet-v2-released, inception-resnet-v1-facenet\n",
    ],
    [
      'summary inception-v4 --width wide',
      "inception: --width: expected a number above 0 and at most 64, received 'wide'\n",
    ],
    [
      'summary inception-v4 --classes 2.5',
      "inception: --classes: expected a whole number of at most 1000000, 0 for no classifier, received '2.5'\n",
    ],
    [
      'summary inception-v4 --input-size 299x',
      "inception: --input-size: expected pixels, as 299 or 299x224, received '299x'\n",
    ],
    [
      'summary inception-v4 --blocks 1,2',
      "inception: --blocks: expected counts of 1 to 1000 for A, B and C, as 5,10,5 or 5,,5, received '1,2'\n",
    ],
    [
      'summary inception-v4 --residual-scale 0',
      "inception: --residual-scale: expected 'off', a number above 0, or three for A, B and C, as 0.17,0.1,0.2, received '0'\n",
    ],
    [
      'summary inception-v4 --dropout-keep 2',
      "inception: --dropout-keep: expected a number above 0 and at most 1, received '2'\n",
    ],
    [
      'program inception-v4 --for fun',
      "inception: --for: expected train or infer or prepare, received 'fun'\n",
    ],
    ['program inception-v4 --momentum 0.5', 'inception: --momentum: has no effect without --for train\n'],
    [
      'train inception-v4 --out nowhere --data fashion-mnist --classes 5',
      'inception: --classes: has no effect here: the number of classes is that of --data\n',
    ],
    [
      'train inception-v4 --out nowhere --data fashion-mnist --warmup 2',
      'inception: --warmup: has no effect with --schedule staircase\n',
    ],
    [
      'train inception-v4 --out nowhere --data fashion-mnist --optimizer adamw --momentum 0.5',
      'inception: --momentum: has no effect with --optimizer adamw\n',
    ],
    [
      'train inception-v4 --out nowhere --data fashion-mnist --nesterov',
      'inception: --nesterov: has no effect with --optimizer rmsprop\n',
    ],
    [
      'train inception-v4 --out nowhere --data fashion-mnist --optimizer sgd --momentum 1',
      "inception: --momentum: expected a number of at least 0 and below 1, received '1'\n",
    ],
    [
      'train inception-v4 --out nowhere --data fashion-mnist --recipe small-data --crop-aspect 1,2',
      'inception: --crop-aspect: has no effect without random crops; expected --crop-area as well\n',
    ],
    [
      'train inception-v4 --out nowhere --data fashion-mnist --auxiliary-loss-weight 1',
      'inception: --auxiliary-loss-weight: has no effect without --auxiliary\n',
    ],
    [
      'train inception-v4 --out nowhere --data fashion-mnist --find-learning-rate --preview sheet.png',
      'inception: --preview: has no effect with --find-learning-rate\n',
    ],
    [
      'train --out nowhere --resume --batch 5',
      "inception: --batch: cannot change with --resume, which continues with the run's own config.json; only more --epochs, a lower --learning-rate, --data that have moved, --device, --threads, --evaluate-every and --save-every can\n",
    ],
  ])('%s exits with 2 and a message on standard error', async (args, message) => {
    expect(await inception(args.split(' '))).toEqual({ status: 2, stdout: '', stderr: message });
  });
});

describe('a failure', () => {
  it('exits with 1 and one line', async () => {
    expect(built(['summary', 'inception-v4', '--input-size', '74'])).toEqual({
      status: 1,
      stdout: '',
      stderr:
        'inception: reductionB/branch0/conv2: its 3×3 window is larger than the 2×2 grid it reads; inception-v4 needs an input of at least 75×75 pixels, received 74×74\n',
    });
    const { status, stderr } = await inception(['diagram', 'inception-v4', '-o', '/nowhere/at-all.svg']);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: "inception: ENOENT: no such file or directory, open '/nowhere/at-all.svg'\n",
    });
  });

  it('prints a stack trace with --stack', async () => {
    const { stderr } = await inception(['summary', 'inception-v4', '--input-size', '74', '--stack']);
    expect(stderr).toMatch(/^inception: GraphError: reductionB[^\n]*\n {4}at /);
  });
});

describe('inception diagram', () => {
  it('writes the same drawing to a file and to standard output', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'inception-diagram-'));
    try {
      const file = join(folder, 'v4.svg');
      const written = await inception(['diagram', 'inception-v4', '-o', file]);
      expect(written).toEqual({ status: 0, stdout: '', stderr: '' });
      const printed = await inception(['diagram', 'inception-v4', '-o', '-']);
      expect(printed.stdout).toBe(readFileSync(file, 'utf8'));
      // The same drawing in two other formats, which begin as theirs do.
      for (const [name, beginning] of [
        ['a.png', '\x89PNG'],
        ['a.pdf', '%PDF-1.4'],
      ] as const) {
        const other = join(folder, name);
        expect(await inception(['diagram', 'inception-v4', '--part', 'inceptionA', '-o', other])).toEqual({
          status: 0,
          stdout: '',
          stderr: '',
        });
        expect(readFileSync(other, 'latin1').startsWith(beginning)).toBe(true);
      }
      expect(await inception(['diagram', 'inception-v4', '-o', join(folder, 'a.gif')])).toMatchObject({
        status: 2,
        stderr: expect.stringContaining("expected a file that ends in .svg, .png or .pdf, or '-', received"),
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('inception program --json', () => {
  it.each(['train', 'infer', 'prepare'])('prints the steps for %s', async (purpose) => {
    const { status, stdout } = await inception(
      `program inception-v3 --for ${purpose} --batch 2 --input-size 75 --json`.split(' '),
    );
    expect(status).toBe(0);
    expect(JSON.parse(stdout).steps.length).toBeGreaterThan(100);
  });
});

describe('inception program for several processes', () => {
  const run = (options: string) =>
    inception(`program inception-v3 --batch 2 --input-size 75 --width 0.25 ${options}`.split(' '));

  it('prints the training step with what travels between them', async () => {
    const { status, stdout } = await run('--processes 2');
    expect(status).toBe(0);
    expect(stdout.match(/^program .*/gm)).toEqual([
      'program inception-v3 train batch 2 float32 2 replicas in 2 processes',
    ]);
    expect(stdout).toMatch(/# bucket 2\n.*load.*\n.*inception::accumulate_/);
  });

  it('prints all that one runs if replicas take turns, and lists it as JSON', async () => {
    const { stdout } = await run('--processes 2 --replicas 5');
    expect(stdout.match(/^program inception-v3 \w+/gm)?.map((line) => line.split(' ').at(-1))).toEqual([
      ...['accumulate', 'train', 'idle'],
    ]);
    const { stdout: json } = await run('--processes 2 --replicas 5 --json');
    expect(JSON.parse(json)).toHaveLength(3);
  });

  it('refuses them where nothing is trained', async () => {
    const { status, stderr } = await run('--for infer --processes 2');
    expect(status).toBe(2);
    expect(stderr).toContain('--processes: has no effect without --for train');
  });

  it('refuses several processes for one replica', async () => {
    const { stderr } = await run('--processes 3 --replicas 1');
    expect(stderr).toContain('one replica is trained by one process; received 3 processes');
  });
});

describe('help', () => {
  it.each(['models', 'summary', 'diagram', 'program', 'train', 'evaluate', 'classify', 'bench', 'doctor'])(
    'of %s ends with examples',
    async (name) => {
      const { status, stdout } = await inception([name, '--help']);
      expect(status).toBe(0);
      expect(stdout).toMatch(new RegExp(`Examples?:\n(  .*\n)*  inception ${name}`));
    },
  );
});
