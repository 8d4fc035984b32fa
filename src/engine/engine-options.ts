/** The numbers of an engine, declared once. */
import { numberOption } from '../option.ts';

/** More threads than any machine has cores end in the failure of the thread library, which cannot be caught. */
export const threads = numberOption({
  whole: true,
  atLeast: 1,
  atMost: 1024,
  flag: '--threads <n>',
  about: 'threads per operator',
  label: 'Threads',
  default: 'all cores',
});
