/**
 * Full networks exported to ONNX and run in ONNX Runtime give the logits of other implementations with the same weights,
 * within the tolerances of the fixtures. If Debian's python3-onnx is installed, ONNX's checker has to accept the files too.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { inceptionScaling } from '../../src/compile/options.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { networks } from '../../src/networks/networks.ts';
import type { OnnxGraph } from '../../src/onnx/onnx-graph.ts';
import { encodeModel } from '../../src/onnx/write/encode-model.ts';
import { toFloat16 } from '../../src/onnx/write/float16.ts';
import { planQuantisation, quantise } from '../../src/onnx/write/int8/quantise.ts';
import { exportGraph, onnxGraphOf } from '../../src/onnx/write/onnx-graph-of.ts';
import { writeGraph } from '../../src/onnx/write/write-graph.ts';
import { sampleModel } from '../sample-model.ts';
import { tolerance } from './fixture.ts';
import { goldenImages } from './prng.ts';
import { Reference } from './reference.ts';

const encode = (graph: OnnxGraph) => encodeModel({ graph, metadata: {}, producerVersion: '0' });

describe('ONNX Runtime gives the logits of', () => {
  it.each(['timm_inception_v4', 'timm_inception_v3', 'keras_inception_resnet_v2'] as const)(
    '%s',
    async (name) => {
      // Only for its weights; no engine is used.
      const reference = new Reference(name, undefined as unknown as Engine);
      const graph = await writeGraph(exportGraph(reference.graph), {
        read: async (parameter) => reference.weights(parameter),
        input: 'float32',
        softmax: false,
        scaling: inceptionScaling,
      });
      const session = await InferenceSession.create(encode(graph));
      const { side } = reference;
      const images = new Tensor('float32', goldenImages(side), [2, 3, side, side]);
      const [output] = Object.values(await session.run({ images })) as [Tensor];
      const expected = reference.expected.eval.logits_f64?.flat() as number[];
      const worst = Math.max(...expected.map((value, index) => Math.abs(value - Number(output.data[index]))));
      expect(output.data).toHaveLength(expected.length);
      expect(worst).toBeLessThan(tolerance(name, 'eval logits (abs)'));
      await session.release();
    },
  );
});

/** Debian's Python, because a virtual environment would hide its packages. */
const python = '/usr/bin/python3';
const checker = spawnSync(python, ['-c', 'import onnx']).status === 0;

describe.skipIf(!checker)(
  `onnx.checker accepts${checker ? '' : ' (skipped: python3-onnx is not installed)'}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'inception-checker-'));
    afterAll(() => rmSync(folder, { recursive: true }));
    const script = 'import onnx, sys\nfor f in sys.argv[1:]: onnx.checker.check_model(f, full_check=True)';

    it.each(networks.map(({ name }) => name))('%s in every precision and with every input', async (name) => {
      const model = sampleModel(name, { inputSize: name.endsWith('facenet') ? 107 : 75 });
      const files: string[] = [];
      const write = (graph: OnnxGraph) => {
        const path = join(folder, `${files.length}.onnx`);
        writeFileSync(path, encode(graph));
        files.push(path);
      };
      for (const input of ['float32', 'uint8'] as const) {
        const graph = await onnxGraphOf(model, { input, softmax: input === 'uint8' });
        const plan = planQuantisation(graph);
        const ranges = new Map(plan.values.map((value) => [value, { low: 0, high: 1 }]));
        write(graph);
        write(toFloat16(graph));
        write(quantise(graph, { plan, ranges }));
      }
      const every = { mergeSiblings: true, foldBatchNorm: false, foldResidualScale: false };
      write(await onnxGraphOf(model, { passes: every }));
      const { status, stderr } = spawnSync(python, ['-c', script, ...files], { encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    });
  },
);
