import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sampleModel } from '../../../test/sample-model.ts';
import { DeployError } from '../../onnx/deploy-error.ts';
import { exportOnnx } from '../../onnx/write/export-onnx.ts';
import { serveByOnnx } from './onnx-model.ts';
import type { ServedModel } from './served-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'inception-served-'));
const file = join(folder, 'model.onnx');
const black = (count: number) => new Uint8Array(count * 75 * 75 * 3);

beforeAll(async () => {
  await exportOnnx(sampleModel('inception-resnet-v2'), { output: file });
});
afterAll(() => rmSync(folder, { recursive: true }));

let model: ServedModel | undefined;
afterEach(async () => {
  await model?.close();
  model = undefined;
});

/** Child processes that run an ONNX file. */
const workers = (): number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        const [, ppid] = /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return Number(ppid) === process.pid && command.includes('onnx-process/worker');
      } catch {
        return false;
      }
    });

describe('a served ONNX file', () => {
  it('computes in its own process without blocking the event loop', async () => {
    model = await serveByOnnx(file, { name: 'm', batch: 2, threads: 1 });
    expect(model).toMatchObject({
      platform: 'onnxruntime_onnx',
      batch: 2,
      input: { name: 'images', datatype: 'UINT8', shape: [75, 75, 3] },
      output: { name: 'probabilities', datatype: 'FP32', shape: [7] },
    });
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const result = await model.run(black(40));
    clearInterval(timer);
    expect(result).toHaveLength(40 * 7);
    expect(result.subarray(0, 7).reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    expect(turns).toBeGreaterThan(3);
  });

  it.skipIf(process.platform !== 'linux')(
    'computes a batch once more in another process when its own dies (skipped except on Linux)',
    async () => {
      model = await serveByOnnx(file, { name: 'm', batch: 1 });
      const [pid] = workers();
      const reasons: string[] = [];
      model.onReplaced?.((reason) => reasons.push(reason));
      const running = model.run(black(100));
      process.kill(pid as number, 'SIGKILL');
      expect(await running).toHaveLength(700);
      expect(reasons).toEqual([`${file}: the process that runs the model died (SIGKILL)`]);
      expect(model.healthy?.()).toBe(true);
      await model.close();
      expect(workers()).toEqual([]);
    },
  );

  it('is refused with the reason, leaving no process behind', async () => {
    const none = serveByOnnx(join(folder, 'none.onnx'), { name: 'm' });
    await expect(none).rejects.toThrow(DeployError);
    await expect(none).rejects.toThrow(/none\.onnx: no such file/);
    await expect.poll(workers).toEqual([]);
  });
});
