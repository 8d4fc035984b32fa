/** Names from files as parts of Markdown and of YAML. Pure. */
import { printable } from '../../printable.ts';

const oneLine = (text: string): string => printable(text, 200).replaceAll(/\s+/g, ' ').trim();

/** Text that stands in a line or in a cell of a table, without any effect of its own. */
export const cell = (text: string): string => oneLine(text).replaceAll(/[\\`*_{}[\]<>|#~$]/g, '\\$&');

/** A name as code; a backtick would end it. */
export const code = (text: string): string =>
  `\`${oneLine(text).replaceAll('`', "'").replaceAll('|', '\\|')}\``;

/** A text that is a sentence: with a capital letter and a full stop. */
export const sentence = (text: string): string => {
  const line = cell(text);
  return `${line.charAt(0).toUpperCase()}${line.slice(1)}${/[.!?]$/.test(line) ? '' : '.'}`;
};

/** A scalar: plain where that is safe, otherwise quoted, as JSON is YAML. */
export const yaml = (text: string): string =>
  /^[A-Za-z][\w./-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off)$/i.test(text)
    ? text
    : JSON.stringify(text);

/** A table whose first column is text and whose others are numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '--:'))), ...rows.map(line)].join(
    '\n',
  );
}
