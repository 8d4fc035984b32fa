/** The protocol of our sides, the same as the peers' (src/bench/peers/pytorch.py): a line in asks for steps, a line out has their times. */
import { createInterface } from 'node:readline';
import { peakBytes, resetPeak } from './memory-peak.ts';

export interface AnsweredStep {
  readonly about: string;
  /** Whether the process's memory is that of the work. Default true. */
  readonly countsMemory?: boolean;
  /** Runs one step and returns the outputs to compare. */
  step(): Promise<ArrayLike<number | bigint> | undefined>;
}

const send = (values: object) => process.stdout.write(`${JSON.stringify(values)}\n`);

/** Serves requests until its input ends. */
export async function answerSteps({ about, countsMemory = true, step }: AnsweredStep): Promise<void> {
  send({ about, output: Array.from((await step()) ?? [], Number) });
  resetPeak();
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, count = '1'] = line.split(' ');
    if (command === 'memory') {
      send({ peakBytes: countsMemory ? peakBytes() : null });
      continue;
    }
    const wall: number[] = [];
    const processor: number[] = [];
    for (let run = 0; run < Number(count); run++) {
      const [begin, cpuBefore] = [performance.now(), process.cpuUsage()];
      await step();
      wall.push(performance.now() - begin);
      const { user, system } = process.cpuUsage(cpuBefore);
      processor.push((user + system) / 1000);
    }
    send({ wall, processor });
  }
}
