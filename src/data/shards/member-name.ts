/**
 * Names of images as names of members. A key ends at the first dot of a base name, so that `a.b.jpg` cannot be a member's name, nor
 * `1.png` beside `1.jpg`: what a name cannot hold is written as in addresses, `a%2Eb.jpg`, and read back. Pure.
 */

/** `%00` stands for nothing: it makes two keys of `1.jpg` and `1.png`. */
const nothing = '%00';

const escaped = (character: string): string =>
  `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;

// biome-ignore lint/suspicious/noControlCharactersInRegex: an archive's names have none
const unwritable = /[\u0001-\u001f\u007f\\]|%(?=[0-9A-F]{2})/g;

/** The member of an image with this path; undefined for a path that has no ending. */
export function memberName(path: string): string | undefined {
  const [, folder = '', stem, ending] = /^(.*\/)?(.+)\.([^./]+)$/s.exec(path) ?? [];
  if (stem === undefined) return undefined;
  const safe = (text: string) => text.replace(unwritable, escaped);
  return `${safe(folder)}${safe(stem).replaceAll('.', '%2E')}.${safe(ending as string)}`;
}

/** The same image under another key. */
export const withOtherKey = (member: string): string => member.replace(/\.[^./]*$/, `${nothing}$&`);

/** The path that a member's name stands for. */
export const pathOfMember = (member: string): string =>
  member.includes('%')
    ? member.replace(/%(0[0-9A-F]|1[0-9A-F]|2[5E]|5C|7F)/g, (written, digits: string) =>
        written === nothing ? '' : String.fromCharCode(Number.parseInt(digits, 16)),
      )
    : member;
