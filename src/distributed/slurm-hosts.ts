/** Slurm's lists of hosts: `gpu[01-04,07],login`, `rack[1-2]-node[1-8]`. */

const name = /^[\w.-]+/;
/** `[01-04,07]` */
const bracket = /^\[(\d+)(?:-\d+)?(?:,\d+(?:-\d+)?)*\]/;

/** The first host of the list, or undefined if it is none. */
export function firstHost(list: string): string | undefined {
  let host = '';
  let rest = list.trim();
  while (rest !== '' && rest[0] !== ',') {
    const plain = name.exec(rest)?.[0];
    const [range, first] = plain === undefined ? (bracket.exec(rest) ?? []) : [plain, plain];
    if (range === undefined || first === undefined) return undefined;
    host += first;
    rest = rest.slice(range.length);
  }
  return host === '' ? undefined : host;
}
