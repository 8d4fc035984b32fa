/** Which parts a probe may try: those whose features the memory holds. Pure. */
import { UsageError } from '../../errors.ts';
import type { Part } from '../../features/parts.ts';

export interface ProbeWork {
  /** Of training and validation. */
  readonly images: number;
  readonly classes: number;
  /** What this process may still take; undefined where the system does not say. */
  readonly availableBytes: number | undefined;
}

/** Of what is available: other programs take some, too. */
const share = 0.8;

const float = 4;

/**
 * What the features of parts take at their most: each row as it is computed and in its table, and the part that is solved three times
 * more, joined, standardised and in the engine, where the regression has a few values for each image and class.
 */
export const bytesFor = (parts: readonly Part[], { images, classes }: ProbeWork): number => {
  const lengths = parts.map(({ length }) => length);
  const all = lengths.reduce((sum, length) => sum + length, 0);
  return float * images * (2 * all + 3 * Math.max(...lengths) + 4 * classes);
};

const count = (value: number): string => value.toLocaleString('en-US');
const amount = (bytes: number): string =>
  bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;

/**
 * The first of the parts, as many as fit; with what is left out, in one line, and for several parts what trying them costs.
 * @throws UsageError where not even the first one fits
 */
export function partsThatFit(
  parts: readonly [Part, ...Part[]],
  work: ProbeWork,
): { readonly parts: readonly Part[]; readonly notices: readonly string[] } {
  const { images, availableBytes = Number.POSITIVE_INFINITY } = work;
  const fits = (some: readonly Part[]) => bytesFor(some, work) <= share * availableBytes;
  const [first] = parts;
  if (!fits([first]))
    throw new UsageError(
      `features: ${count(first.length)} values of each of ${count(images)} images take about ${amount(bytesFor([first], work))}, and ${amount(availableBytes)} are available; expected fewer images (limitTrain, --limit-train), or a part with fewer values`,
    );
  if (parts.length === 1) return { parts, notices: [] };
  let most = parts.length;
  while (!fits(parts.slice(0, most))) most--;
  const [kept, left] = [parts.slice(0, most), parts.slice(most)];
  const named = (some: readonly Part[]) =>
    some.map(({ name, length }) => `${name} (${count(length)})`).join(', ');
  return {
    parts: kept,
    notices: [
      `features of ${kept.length} parts, values in brackets: ${named(kept)}; one pass over ${count(images)} images, a regression for each part, and about ${amount(bytesFor(kept, work))} of memory`,
      ...(left.length === 0
        ? []
        : [
            `left out, since all parts would take about ${amount(bytesFor(parts, work))} and ${amount(availableBytes)} are available: ${named(left)}`,
          ]),
    ],
  };
}
