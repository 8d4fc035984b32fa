/** The most memory that this process has held, as Linux counts it. */
import { readFileSync, writeFileSync } from 'node:fs';

/** Bytes, or null where there is no /proc. */
export function peakBytes(): number | null {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  } catch {
    return null;
  }
}

/** Counts from now on: reading weights and the like are not what is compared. */
export function forgetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Then the peak includes the preparation.
  }
}
