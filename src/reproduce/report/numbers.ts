/** Large numbers for reading. Pure. */

/** 42,679,816 */
export const grouped = (value: number): string => value.toLocaleString('en-US');

/** 12.25 G */
export function short(value: number): string {
  const [unit, size] = value >= 1e9 ? ['G', 1e9] : value >= 1e6 ? ['M', 1e6] : ['k', 1e3];
  return `${(value / Number(size)).toFixed(2)} ${unit}`;
}

/** 90 → 2 min; 5400 → 1.5 h */
export function roughTime(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${(seconds / 3600).toFixed(1)} h` : `${Math.round(seconds / 86_400)} days`;
}
