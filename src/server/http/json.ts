/** JSON of strangers: bounded in depth before it is parsed, so that nothing that walks it can run out of stack. */
import { RequestError } from './request-error.ts';

/** [n, h, w, c] as nested arrays, inside `inputs[0].data` of an object, is 7 deep. */
export const mostDepth = 16;

const [quote, backslash] = [0x22, 0x5c];
const isOpening = (byte: number) => byte === 0x7b || byte === 0x5b;
const isClosing = (byte: number) => byte === 0x7d || byte === 0x5d;

/**
 * Parses an object. `what` names it in errors: `body`.
 * @throws RequestError when it is no JSON, nested too deeply, or no object.
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
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (inString) {
      if (byte === backslash) at++;
      else if (byte === quote) inString = false;
    } else if (byte === quote) inString = true;
    else if (isOpening(byte)) {
      if (++depth > mostDepth)
        throw new RequestError(400, `${what}: JSON nested more than ${mostDepth} deep is refused`);
    } else if (isClosing(byte)) depth--;
  }
}
