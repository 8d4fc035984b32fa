/**
 * Our side as a process of its own, speaking as the peers do (scripts/bench-peer.py): so that memory is one side's, and
 * no side shares threads or caches with another. Arguments: the job's path, and `ours` or `floor`.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { openTorch } from '../engine/torch.ts';
import type { Job } from './job.ts';
import { forgetPeak, peakBytes } from './memory-peak.ts';
import { openFloor, openOurStep } from './our-step.ts';

const [path = '', side = 'ours'] = process.argv.slice(2);
const job = JSON.parse(readFileSync(path, 'utf8')) as Job;
const answer = (values: object) => process.stdout.write(`${JSON.stringify(values)}\n`);

const engine = openTorch({ device: 'cpu', threads: job.threads });
const ours = await (side === 'floor' ? openFloor(engine, job) : openOurStep(engine, job));
const { logits, loss } = await ours.step();
answer({ about: ours.about, output: Array.from((logits ?? loss)?.data ?? [], Number) });
forgetPeak();
for await (const line of createInterface({ input: process.stdin })) {
  const [command, count = '1'] = line.split(' ');
  if (command === 'memory') {
    answer({ peakBytes: peakBytes() });
    continue;
  }
  const wall: number[] = [];
  const processor: number[] = [];
  for (let run = 0; run < Number(count); run++) {
    const [begin, used] = [performance.now(), process.cpuUsage()];
    await ours.step();
    wall.push(performance.now() - begin);
    const { user, system } = process.cpuUsage(used);
    processor.push((user + system) / 1000);
  }
  answer({ wall, processor });
}
await engine.close();
