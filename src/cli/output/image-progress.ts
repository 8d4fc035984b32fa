/** Progress of a pass over images on standard error. */
import { duration } from './format.ts';
import { openBar } from './progress-bar.ts';

/** A progress bar on a terminal, otherwise a line every ten seconds. */
export function progressOver(
  total: number,
  {
    counted = 'crops',
    output = process.stderr,
  }: { readonly counted?: string; readonly output?: NodeJS.WriteStream } = {},
) {
  let done = 0;
  let last = performance.now();
  const bar = openBar(output, `{bar} {value}/{total} images  {speed} ${counted}/s  {left} left`);
  const begin = performance.now();
  bar?.start(total, 0, { speed: '–', left: '–' });
  return {
    say: (line: string) => {
      if (bar) output.write('\r\u001b[K');
      output.write(`${line}\n`);
    },
    step: (perSecond: number) => {
      done++;
      const left = duration(((performance.now() - begin) / 1000 / done) * (total - done));
      bar?.update(done, { speed: perSecond.toFixed(0), left });
      if (bar || performance.now() - last < 10_000) return;
      last = performance.now();
      output.write(`${done}/${total} images  ${perSecond.toFixed(0)} ${counted}/s  ${left} left\n`);
    },
    stop: () => bar?.stop(),
  };
}
