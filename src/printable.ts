/** Text from files, made fit for a terminal and a log. Pure; also for browsers. */

// Control characters except tab and newline, and those that change the direction of writing.
const unprintable = /(?![\t\n])[\p{Cc}\p{Bidi_Control}]/gu;

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** The text without what a terminal would obey (escapes become `\u001b`), each line cut to `maxLength` characters. */
export function printable(text: string, maxLength = 2000): string {
  const safe = text.replace(unprintable, escaped);
  if (safe.length <= maxLength) return safe;
  return safe
    .split('\n')
    .map((line) =>
      line.length > maxLength
        ? `${line.slice(0, maxLength)}… (${line.length - maxLength} more characters)`
        : line,
    )
    .join('\n');
}

/** The first three names, on one line, and how many more there are: `a, b, c, and 2 more`. */
export const firstOf = (names: readonly string[]): string =>
  [
    ...names.slice(0, 3).map((name) => printable(name, 100).replaceAll('\n', ' ')),
    ...(names.length > 3 ? [`and ${names.length - 3} more`] : []),
  ].join(', ');

/** A name from a file in quotes, on one line: `'features.0.conv.weight'`. */
export const quoted = (name: string): string => `'${printable(name, 200).replaceAll('\n', '\\n')}'`;
