/** Colours for standard output: on a terminal, never with NO_COLOR, always with FORCE_COLOR. */
import { createColors } from 'picocolors';

const { NO_COLOR, FORCE_COLOR } = process.env;

// picocolors alone would also colour the output of every CI job, where a pipe may well be read by a program.
export const colours = createColors(!NO_COLOR && (Boolean(FORCE_COLOR) || process.stdout.isTTY === true));
