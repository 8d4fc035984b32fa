/**
 * Names by which shards are written: `train-{0000..0146}.tar`, `{a,b}-{0..9}.tar`, as a shell expands them. Pure.
 */

/** More are a mistake. */
const maxNames = 1_000_000;

/** The names in order; a text without braces is one. Undefined for more than a million. */
export function expandBraces(text: string): string[] | undefined {
  const found = firstBraces(text);
  if (!found) return [text];
  const { before, choices, after } = found;
  const rests = expandBraces(after);
  const heads: string[] = [];
  for (const choice of choices) {
    // A choice may hold braces of its own.
    const expanded = isRange(choice) ? range(choice) : expandBraces(choice);
    if (!expanded || !rests || (heads.length + expanded.length) * rests.length > maxNames) return undefined;
    for (const each of expanded) heads.push(before + each);
  }
  return rests && heads.flatMap((head) => rests.map((rest) => head + rest));
}

interface Braces {
  readonly before: string;
  readonly choices: readonly (string | Range)[];
  readonly after: string;
}

interface Range {
  readonly from: string;
  readonly to: string;
  readonly step: number;
}

const isRange = (choice: string | Range): choice is Range => typeof choice !== 'string';

/** The first braces that hold a list or a range; others are letters like any. */
function firstBraces(text: string): Braces | undefined {
  for (let begin = text.indexOf('{'); begin >= 0; begin = text.indexOf('{', begin + 1)) {
    let depth = 0;
    const commas: number[] = [];
    for (let at = begin; at < text.length; at++) {
      const letter = text[at];
      if (letter === '{') depth++;
      else if (letter === ',' && depth === 1) commas.push(at);
      else if (letter === '}' && --depth === 0) {
        const inside = text.slice(begin + 1, at);
        const numbers = /^(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?$/.exec(inside);
        const ends = [begin, ...commas, at];
        const choices = numbers
          ? [
              {
                from: numbers[1] as string,
                to: numbers[2] as string,
                step: Math.abs(Number(numbers[3] ?? 1)) || 1,
              },
            ]
          : ends.slice(1).map((end, which) => text.slice((ends[which] as number) + 1, end));
        if (numbers || commas.length > 0)
          return { before: text.slice(0, begin), choices, after: text.slice(at + 1) };
        break;
      }
    }
  }
  return undefined;
}

/** Numbers with zeros before them, if one of the ends has some, and downwards if the end is smaller. */
function range({ from, to, step }: Range): string[] | undefined {
  const [first, last] = [Number(from), Number(to)];
  const count = Math.floor(Math.abs(last - first) / step) + 1;
  if (!(count <= maxNames)) return undefined;
  const isPadded = [from, to].some((end) => /^-?0\d/.test(end));
  const width = isPadded ? Math.max(from.length, to.length) : 0;
  return Array.from({ length: count }, (_, at) => {
    const number = first + (last >= first ? at : -at) * step;
    const sign = number < 0 ? '-' : '';
    return sign + String(Math.abs(number)).padStart(width - sign.length, '0');
  });
}
