import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { InceptionError, UsageError } from './errors.ts';
import { describeIssues, parseJson } from './parse-json.ts';

class FileError extends InceptionError {
  override name = 'FileError';
}

const schema = z.strictObject({ recipe: z.strictObject({ epochs: z.number() }) });
const parse = (text: string) => parseJson(text, { schema, path: 'runs/a/config.json', Failure: FileError });

describe('text of JSON held to a schema', () => {
  it('gives the value', () => {
    expect(parse('{"recipe":{"epochs":3}}')).toEqual({ recipe: { epochs: 3 } });
  });

  it('names the file and every key that does not fit', () => {
    expect(() => parse('{"recipe":{"epochs":"3"},"extra":1}')).toThrow(
      new FileError(
        'runs/a/config.json: recipe.epochs: Invalid input: expected number, received string; top level: Unrecognized key: "extra"',
      ),
    );
  });

  it('says what is not JSON', () => {
    expect(() => parse('{')).toThrow(/^runs\/a\/config\.json: not JSON \(/);
    expect(() => parse('{')).toThrow(FileError);
  });

  it('prints at most so many issues, and a name of its own for the whole value', () => {
    const issues = [
      { path: [], message: 'one' },
      { path: ['a', 0], message: 'two' },
      { path: [], message: 'three' },
    ];
    expect(describeIssues(issues, { root: 'body', limit: 2 })).toBe('body: one; a.0: two');
  });
});

describe('the base of errors', () => {
  it('keeps name and message, and tells wrong usage from what went wrong later', () => {
    const error: unknown = new UsageError('--epochs: expected a number, received "x"');
    expect(error).toBeInstanceOf(InceptionError);
    expect(String(error)).toBe('UsageError: --epochs: expected a number, received "x"');
    expect(new InceptionError('x')).not.toBeInstanceOf(UsageError);
  });
});
