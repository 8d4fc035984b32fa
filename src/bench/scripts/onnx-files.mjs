// Images a second of ONNX files on ONNX Runtime, measured in turns: every round runs each file once, so that whatever else
// the machine does meets them all. Ratios are of the processor time of the fastest rounds, to the first file.
//
//   node src/bench/scripts/onnx-files.mjs float32.onnx int8.onnx --batch 1,16 --threads 1 --rounds 30
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const { values, positionals: files } = parseArgs({
  allowPositionals: true,
  options: {
    batch: { type: 'string', default: '1' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
  },
});

/** Noise that is the same every time; [n, …] as the file's only input wants it. */
function imagesFor({ inputMetadata: [input] }, batch) {
  const dims = [batch, ...input.shape.slice(1)];
  const length = dims.reduce((product, size) => product * size, 1);
  const noise = (at) => (Math.imul(at + 1, 2654435761) >>> 24) / 255;
  const data =
    input.type === 'uint8'
      ? Uint8Array.from({ length }, (_, at) => 255 * noise(at))
      : Float32Array.from({ length }, (_, at) => 2 * noise(at) - 1);
  return { [input.name]: new Tensor(input.type, data, dims) };
}

async function timed(work) {
  const begin = performance.now();
  const used = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(used);
  return { wallMs: performance.now() - begin, cpuMs: (user + system) / 1000 };
}

const sessions = [];
for (const file of files)
  sessions.push(
    await InferenceSession.create(readFileSync(file), {
      intraOpNumThreads: Number(values.threads),
      logSeverityLevel: 3,
    }),
  );
const results = [];
for (const batch of values.batch.split(',').map(Number)) {
  const inputs = sessions.map((session) => imagesFor(session, batch));
  const times = sessions.map(() => []);
  for (let round = -2; round < Number(values.rounds); round++) {
    for (const [index, session] of sessions.entries()) {
      const time = await timed(() => session.run(inputs[index]));
      if (round >= 0) times[index].push(time);
    }
  }
  const best = (index, key) => Math.min(...times[index].map((time) => time[key]));
  for (const [index, file] of files.entries()) {
    const [cpuMs, wallMs] = [best(index, 'cpuMs'), best(index, 'wallMs')];
    const ratio = best(0, 'cpuMs') / cpuMs;
    results.push({
      file: basename(file),
      batch,
      cpuMs,
      wallMs,
      imagesPerSecond: (1000 * batch) / wallMs,
      ratio,
    });
  }
}
if (values.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
else
  for (const { file, batch, cpuMs, wallMs, imagesPerSecond, ratio } of results)
    process.stdout.write(
      `${file.padEnd(28)} batch ${String(batch).padStart(3)}  cpu ${cpuMs.toFixed(2).padStart(8)} ms  wall ${wallMs.toFixed(2).padStart(8)} ms  ${imagesPerSecond.toFixed(1).padStart(8)} images/s  × ${ratio.toFixed(2)}\n`,
    );
