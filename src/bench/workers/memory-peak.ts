/** Peak memory of this process, as Linux reports it. */
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

/** Restarts the measurement, so that loading weights and the like is not counted. */
export function resetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // The peak then includes the preparation.
  }
}
