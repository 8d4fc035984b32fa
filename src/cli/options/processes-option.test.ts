import { afterEach, describe, expect, it, vi } from 'vitest';
import { inception } from '../../../test/command-in-process.ts';
import { withoutProcesses } from './processes-option.ts';

afterEach(() => vi.unstubAllEnvs());

describe('--processes', () => {
  it('is left out of the arguments of the copies', () => {
    const args = ['bin', 'train', '--processes', '2', '--data', 'x', '--processes=3', '--threads', '1'];
    expect(withoutProcesses(args)).toEqual(['bin', 'train', '--data', 'x', '--threads', '1']);
  });

  it.each([
    ['train', 'inception-v4', '--data', 'x', '--out', 'y'],
    ['evaluate', 'x'],
    ['predict', 'x', 'y', '-o', 'z.csv'],
  ])('is refused under a launcher by %s', async (...args) => {
    for (const [name, value] of [
      ...[
        ['RANK', '0'],
        ['WORLD_SIZE', '4'],
        ['MASTER_ADDR', 'a'],
        ['MASTER_PORT', '1'],
      ],
    ] as const)
      vi.stubEnv(name as string, value);
    expect(await inception([...args, '--processes', '2'])).toEqual({
      status: 2,
      stdout: '',
      stderr:
        'inception: --processes: the environment (RANK and WORLD_SIZE) says that this is one of 4 processes already; leave the option out, or start the command without the launcher\n',
    });
  });

  it('is refused where one process is all that can be', async () => {
    const args = ['train', 'inception-v4', '--data', 'x', '--out', 'y', '--processes', '2'];
    expect((await inception([...args, '--preview', 'a.png'])).stderr).toBe(
      'inception: --processes: has no effect with --preview\n',
    );
    expect((await inception([...args, '--find-learning-rate'])).stderr).toBe(
      'inception: --processes: has no effect with --find-learning-rate\n',
    );
    expect((await inception([...args.slice(0, -1), '0'])).stderr).toBe(
      "inception: --processes: expected a whole number of at least 1 and at most 1024, received '0'\n",
    );
  });
});
