/** Untrusted JSON: its depth is bounded before it is parsed, so that no recursive reader can overflow the stack. */
import { RequestError } from './request-error.ts';

/** [n, h, w, c] as nested arrays, inside `inputs[0].data` of an object, is 7 deep. */
export const maxDepth = 16;

const [quote, backslash] = [0x22, 0x5c];
const isOpening = (byte: number) => byte === 0x7b || byte === 0x5b;
const isClosing = (byte: number) => byte === 0x7d || byte === 0x5d;

/**
 * Parses an object. `what` names the input in errors, such as `body`.
 * @throws RequestError when it is not JSON, nested too deeply, or not an object.
 */
export function parseObject(bytes: Uint8Array, what: string): Readonly<Record<string, unknown>> {
  checkDepth(bytes, what);
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch (error) {
    throw new RequestError(400, `${what}: expected JSON (${(error as Error).message.slice(0, 200)})`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new RequestError(
      400,
      `${what}: expected a JSON object, received ${Array.isArray(value) ? 'an array' : value === null ? 'null' : `a ${typeof value}`}`,
    );
  return value as Record<string, unknown>;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function checkDepth(bytes: Uint8Array, what: string): void {
  let [depth, inString] = [0, false];
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] as number;
    if (inString) {
      if (byte === backslash) index++;
      else if (byte === quote) inString = false;
    } else if (byte === quote) inString = true;
    else if (isOpening(byte)) {
      if (++depth > maxDepth)
        throw new RequestError(400, `${what}: JSON may be nested at most ${maxDepth} deep`);
    } else if (isClosing(byte)) depth--;
  }
}
