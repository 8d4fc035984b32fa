/** Runs an .onnx file on ONNX Runtime, as our commands do, in a process of its own. Argument: the job's path. */
import { readFileSync } from 'node:fs';
import { loadRuntime, openSession } from '../../onnx/run/runtime.ts';
import type { OnnxJob } from '../onnx-job.ts';
import { answerSteps } from './answer-steps.ts';

const { onnx, images, tensor, threads } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as OnnxJob;
const session = await openSession(readFileSync(onnx), { path: onnx, threads, spinOnlyInRuns: true });
const { Tensor, version } = await loadRuntime();
const bytes = readFileSync(images);
const values = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
const input =
  tensor.type === 'uint8'
    ? new Tensor('uint8', new Uint8Array(values), tensor.shape)
    : new Tensor('float32', new Float32Array(values), tensor.shape);
const [output = ''] = session.outputNames;
await answerSteps({
  about: `ONNX Runtime ${version} in Node.js`,
  step: async () => (await session.run({ [tensor.name]: input }))[output]?.data as Float32Array,
});
