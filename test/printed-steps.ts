/** Helpers for tests of program passes: a program of a few emitted steps, and its steps as text. */
import { Emitter } from '../src/compile/emitter.ts';
import { type Program, printStep } from '../src/compile/program.ts';
import { finish } from '../src/compile/program-passes/finish/finish.ts';

/** The program before any pass. */
export function draftOf(emit: (emitter: Emitter) => void): Program {
  const emitter = new Emitter();
  emitter.layer = 'test';
  emit(emitter);
  return emitter.draft('test');
}

/** One step per line, without loads and frees. */
export const printed = (program: Program): string =>
  finish(program)
    .steps.filter((step) => step.do !== 'free' && step.do !== 'load')
    .map(printStep)
    .join('\n');
