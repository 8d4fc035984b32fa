/** A clone without Git LFS has a text of 130 bytes in a large file's place. Pure. */

const firstWords = 'version https://git-lfs.github.com/spec/';

/** What is wrong with a file that begins so, or undefined if it is not such a pointer. */
export function lfsPointerProblem(head: Uint8Array): string | undefined {
  if (head.length < firstWords.length) return undefined;
  for (let index = 0; index < firstWords.length; index++)
    if (head[index] !== firstWords.charCodeAt(index)) return undefined;
  return "it is a Git LFS pointer, not the file itself; download the file with 'git lfs pull'";
}
