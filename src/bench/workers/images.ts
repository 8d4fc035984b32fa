/**
 * Our side of `bench data`: takes batches of a data set as a training does. A line in asks for a turn, a line out says how long it took
 * and what this process has used so far.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { trainingBatches } from '../../data/batches.ts';
import { imageAddon } from '../../data/native/image-addon.ts';
import { openData } from '../../data/open-data.ts';
import { paperAugmentation } from '../../images/augmentation.ts';
import { type ImagesJob, untimedBatches } from '../images-job.ts';
import { peakBytes } from './memory-peak.ts';

const job = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as ImagesJob;
const dataset = await openData(job.data, 'train');
const warn = ({ message }: Error) => process.stderr.write(`warning: ${message}; another image replaces it\n`);
const { batch, size, colour } = job;
const batches = trainingBatches(dataset, {
  ...{ batch, size, seed: 1 },
  augmentation: { ...paperAugmentation, colour },
  reuse: true,
  onBroken: warn,
});
const send = (values: object) => process.stdout.write(`${JSON.stringify(values)}\n`);

/** Milliseconds that the main thread has computed; null where the system does not say. */
function mainMs(): number | null {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  } catch {
    return null;
  }
}

function used() {
  const { user, system } = process.cpuUsage();
  return { processorMs: (user + system) / 1000, mainMs: mainMs(), peakBytes: peakBytes() };
}

const threads = imageAddon()?.facts().threads;
send({
  about:
    threads === undefined ? 'sharp and TypeScript; the addon for images is missing' : `${threads} threads`,
});
for await (const line of createInterface({ input: process.stdin })) {
  const [, count = '0'] = line.split(' ');
  const before = used();
  if (Number(count) > 0) for (let run = 0; run < untimedBatches; run++) await batches.next();
  const begin = performance.now();
  for (let run = 0; run < Number(count); run++) await batches.next();
  send({ wallMs: performance.now() - begin, ...before });
}
await batches.return(undefined);
