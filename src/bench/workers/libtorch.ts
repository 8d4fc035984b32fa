/**
 * Our side as a separate process, so that its memory can be measured and no side shares threads or caches with another.
 * Arguments: the job's path, and `floor`, or a name for what the job says: `ours`, `everything`.
 */
import { readFileSync } from 'node:fs';
import { openTorch } from '../../engine/torch.ts';
import { openSafetensors } from '../../weights/safetensors/safetensors.ts';
import type { Job } from '../job.ts';
import { openFloor, openOurStep } from '../our-step.ts';
import { answerSteps } from './answer-steps.ts';

const [path = '', side = 'ours'] = process.argv.slice(2);
const job = JSON.parse(readFileSync(path, 'utf8')) as Job;

const engine = openTorch({ device: job.device, threads: job.threads });
const ours = await (side === 'floor' ? openFloor(engine, job) : openWithWeights());
await answerSteps({
  about: ours.about,
  // Device memory is not counted here, and on a device the process's memory is not that of a step.
  countsMemory: job.device === 'cpu',
  step: async () => {
    const { logits, loss } = await ours.step();
    return (logits ?? loss)?.data;
  },
});
await engine.close();

/** Uses the same weights file as the peers. */
async function openWithWeights() {
  const file = await openSafetensors(job.weights);
  try {
    return await openOurStep(engine, job, async ({ name }) => (await file.read(name)).data as Float32Array);
  } finally {
    await file.close();
  }
}
