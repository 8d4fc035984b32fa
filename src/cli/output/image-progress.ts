/** Progress of a pass over images on standard error. */
import { duration } from './format.ts';
import { openBar } from './progress-bar.ts';

/** A progress bar on a terminal, otherwise a line every ten seconds. */
export function progressOver(total: number, output: NodeJS.WriteStream = process.stderr) {
  let done = 0;
  let last = performance.now();
  const bar = openBar(output, '{bar} {value}/{total} images  {speed} crops/s  {left} left');
  const begin = performance.now();
  bar?.start(total, 0, { speed: '–', left: '–' });
  return {
    say: (line: string) => {
      if (bar) output.write('\r\u001b[K');
      output.write(`${line}\n`);
    },
    step: (cropsPerSecond: number) => {
      done++;
      const left = duration(((performance.now() - begin) / 1000 / done) * (total - done));
      bar?.update(done, { speed: cropsPerSecond.toFixed(0), left });
      if (bar || performance.now() - last < 10_000) return;
      last = performance.now();
      output.write(`${done}/${total} images  ${cropsPerSecond.toFixed(0)} crops/s  ${left} left\n`);
    },
    stop: () => bar?.stop(),
  };
}
