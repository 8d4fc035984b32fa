/**
 * Untrusted JSON: before it is parsed, its depth is bounded, so that no recursive reader can overflow the stack, and the number of its
 * values, since three bytes of `[],` become fifty in memory.
 */
import { RequestError } from './request-error.ts';

/** [n, h, w, c] as nested arrays, inside `inputs[0].data` of an object, is 7 deep. */
export const maxDepth = 16;

const [quote, backslash] = [0x22, 0x5c];
const isOpening = (byte: number) => byte === 0x7b || byte === 0x5b;
const isClosing = (byte: number) => byte === 0x7d || byte === 0x5d;

/**
 * Parses an object. `what` names the input in errors, such as `body`.
 * @throws RequestError when it is not JSON, nested too deeply, has more values than `maxValues`, or is not an object.
 */
export function parseObject(
  bytes: Uint8Array,
  { what, maxValues }: { readonly what: string; readonly maxValues: number },
): Readonly<Record<string, unknown>> {
  checkSize(bytes, { what, maxValues });
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

const comma = 0x2c;

function checkSize(
  bytes: Uint8Array,
  { what, maxValues }: { readonly what: string; readonly maxValues: number },
): void {
  let [depth, values, inString] = [0, 0, false];
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
    else if (byte === comma && ++values > maxValues)
      throw new RequestError(400, `${what}: expected at most ${maxValues} values, received more`);
  }
}
