/** How our sides speak, as the peers do (src/bench/peers/pytorch.py): a line in for so many steps, a line out with their times. */
import { createInterface } from 'node:readline';
import { forgetPeak, peakBytes } from './memory-peak.ts';

export interface AnsweredStep {
  readonly about: string;
  /** Whether the process's memory is what the work takes. Default true. */
  readonly countsMemory?: boolean;
  /** Gives the outputs that are compared. */
  step(): Promise<ArrayLike<number | bigint> | undefined>;
}

const answer = (values: object) => process.stdout.write(`${JSON.stringify(values)}\n`);

/** Answers until its input ends. */
export async function answerSteps({ about, countsMemory = true, step }: AnsweredStep): Promise<void> {
  answer({ about, output: Array.from((await step()) ?? [], Number) });
  forgetPeak();
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, count = '1'] = line.split(' ');
    if (command === 'memory') {
      answer({ peakBytes: countsMemory ? peakBytes() : null });
      continue;
    }
    const wall: number[] = [];
    const processor: number[] = [];
    for (let run = 0; run < Number(count); run++) {
      const [begin, used] = [performance.now(), process.cpuUsage()];
      await step();
      wall.push(performance.now() - begin);
      const { user, system } = process.cpuUsage(used);
      processor.push((user + system) / 1000);
    }
    answer({ wall, processor });
  }
}
