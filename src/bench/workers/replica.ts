/**
 * One process of several that make the job's step together. Arguments: the job's path, its rank, and how many they are.
 *
 * Lines in ask, lines of JSON on standard output answer. The first answer has the port of rank 0's store.
 *   alone N     N steps, of which nothing travels: only before `join`          -> { wall }
 *   join PORT   connects to the others                                         -> {}
 *   run N       N steps together; bytes and times of a step by bucket          -> { wall, buckets }
 *   profile N   N steps together, each of whose parts is timed                 -> { rounds }
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { BucketTraffic, TensorGroup } from '../../engine/engine.ts';
import { openTorch } from '../../engine/torch.ts';
import type { Job } from '../job.ts';
import { openOurStep } from '../our-step.ts';

const [path = '', ...place] = process.argv.slice(2);
const [rank = 0, size = 1] = place.map(Number);
const job = JSON.parse(readFileSync(path, 'utf8')) as Job;
const host = '127.0.0.1';

const send = (values: object) => process.stdout.write(`${JSON.stringify(values)}\n`);

const engine = openTorch({ device: job.device, threads: job.threads });
const { about, loaded, inputs } = await openOurStep(engine, job);
let group: TensorGroup | undefined;

async function timed(count: number): Promise<number[]> {
  const wall: number[] = [];
  for (let step = 0; step < count; step++) {
    const begin = performance.now();
    await loaded.run(inputs);
    wall.push(performance.now() - begin);
  }
  return wall;
}

/** What was added since `before`, of one step of `count`. */
function perStep(before: readonly BucketTraffic[], after: readonly BucketTraffic[], count: number) {
  const earlier = new Map(before.map((each) => [each.bucket, each]));
  return after.map(({ bucket, ...now }) => {
    const of = (name: keyof typeof now) => (now[name] - (earlier.get(bucket)?.[name] ?? 0)) / count;
    return { bucket, bytes: of('bytes'), busyMs: of('busyMs'), exposedMs: of('exposedMs') };
  });
}

const { whyAlone, kernels } = engine.facts;
send({
  about,
  whyAlone,
  kernels,
  port: rank === 0 && whyAlone === undefined ? await engine.serveStore() : 0,
});
for await (const line of createInterface({ input: process.stdin })) {
  const [command, text] = line.split(' ');
  const argument = Number(text);
  if (command === 'join') {
    group = await engine.join({ rank, size, host, port: argument, address: host });
    send({});
  } else if (command === 'profile') {
    const rounds: number[][] = [];
    for (let round = 0; round < argument; round++) rounds.push([...(await loaded.profile(inputs))]);
    send({ rounds });
  } else {
    const before = group?.traffic().buckets ?? [];
    const wall = await timed(argument);
    send({ wall, buckets: perStep(before, group?.traffic().buckets ?? [], argument) });
  }
}
await group?.leave();
await engine.close();
