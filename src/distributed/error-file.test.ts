import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { InceptionError } from '../errors.ts';
import { recordError } from './error-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'inception-error-file-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe("the file of torchrun's agent", () => {
  it('has the first error and when it was', () => {
    const file = join(folder, 'error.json');
    recordError(new InceptionError('rank 2 is gone'), { TORCHELASTIC_ERROR_FILE: file });
    recordError(new Error('another'), { TORCHELASTIC_ERROR_FILE: file });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      message: {
        message: 'rank 2 is gone',
        extraInfo: { timestamp: expect.stringMatching(/^\d{10}$/) },
      },
    });
  });

  it('is not written where none is named or its folder is gone', () => {
    recordError(new Error('x'), {});
    recordError('x', { TORCHELASTIC_ERROR_FILE: join(folder, 'gone', 'error.json') });
  });
});
