/** Colours for standard output: on a terminal, never with NO_COLOR, always with FORCE_COLOR. */
import { createColors } from 'picocolors';

const { NO_COLOR, FORCE_COLOR } = process.env;

// By itself picocolors also colours the output of CI jobs, where a program may be reading the pipe.
export const colours = createColors(!NO_COLOR && (Boolean(FORCE_COLOR) || process.stdout.isTTY === true));
