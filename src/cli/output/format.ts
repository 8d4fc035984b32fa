/** Formats numbers for reading. */

/** 12,253,974,624 → 12.25 G; 1,536 → 1.54 k */
export function short(value: number): string {
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (value >= size) return `${(value / size).toFixed(value / size >= 100 ? 0 : 2)} ${unit}`;
  }
  return String(value);
}

/** 42,679,816. By hand: toLocaleString() loads its tables of languages, which takes half as long as Node.js itself. */
export const grouped = (value: number): string =>
  String(value).replace(/\B(?<!\.\d*)(?=(\d{3})+(?!\d))/g, ',');

/** 1, 'epoch' → 1 epoch; 1234, 'image' → 1,234 images */
export const counted = (count: number, what: string): string =>
  `${grouped(count)} ${what}${count === 1 ? '' : 's'}`;

/** 0.0612 → 6.12% */
export const percent = (fraction: number): string => `${(fraction * 100).toFixed(2)}%`;

/** 3725 → 1:02:05 */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
