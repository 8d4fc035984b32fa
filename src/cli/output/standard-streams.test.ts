import { describe, expect, it } from 'vitest';
import { onOutputError } from './standard-streams.ts';

const failure = (code: string, message: string) => Object.assign(new Error(message), { code });

describe('a standard output that fails', () => {
  it('ends a command whose result it is: silently where the reader closed it, else in one line', () => {
    expect(onOutputError(failure('EPIPE', 'write EPIPE'), false)).toEqual({ exit: 0 });
    expect(onOutputError(failure('ENOSPC', 'ENOSPC: no space left on device, write'), false)).toEqual({
      say: 'inception: standard output: ENOSPC: no space left on device, write',
      exit: 1,
    });
  });

  it('does not end a training', () => {
    for (const code of ['EPIPE', 'ENOSPC', 'EIO'])
      expect(onOutputError(failure(code, code), true)).toEqual({
        say: `warning: standard output: ${code}; the results are in files`,
      });
  });
});
