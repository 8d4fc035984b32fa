/** Short real runs of a tiny network. Peers are compared where they are installed; otherwise those cases are skipped. */
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { sampleModel } from '../../test/sample-model.ts';
import { type Comparison, compare, compareOnnx } from './compare-sides.ts';
import { compileFloor } from './floor.ts';
import { benchValues, describeJob, describeNodes, type WorkOptions } from './job.ts';
import { describeOnnxWork } from './onnx-job.ts';
import { compileWork, graphOfWork } from './our-step.ts';
import { defaultPythons, findPeers, probePythons, probeTfjs } from './peers.ts';
import { chromeTrace, perLayer, perOperator, profileWork } from './profile.ts';
import { formatComparison, formatProfile } from './report.ts';

const tiny: WorkOptions = {
  work: 'train',
  network: 'inception-resnet-v2',
  options: { width: 0.25, blocks: { A: 1, B: 1, C: 1 }, inputSize: 75, classes: 10 },
  batch: 2,
  precision: 'float32',
  device: 'cpu',
  threads: 1,
};

const pythons = probePythons(defaultPythons);
const torch = pythons.find((python) => python.torch !== undefined);
const tfjs = probeTfjs('.');
const runtime = pythons.find((python) => python.onnxruntime !== undefined);

describe('compare', () => {
  let alone: Comparison;
  beforeAll(async () => {
    alone = await compare(tiny, { against: ['pytorch'], pythons: [], rounds: 2, clock: 'wall' });
  });

  it('runs ours and the floor interleaved', () => {
    expect(alone.sides.map(({ name, ms }) => [name, ms.count])).toEqual([
      ['ours', 2],
      ['floor', 2],
    ]);
    const [ours] = alone.sides;
    expect(ours?.ratio).toBe(1);
    expect(ours?.peakBytes).toBeGreaterThan(1e7);
  });

  it('names a missing peer with the command that installs it', () => {
    expect(formatComparison(alone)).toContain(
      'pytorch is not installed; to compare with it: apt-get install python3-torch',
    );
  });

  it.skipIf(!torch)(
    `gets the same loss and logits from PyTorch (skipped without torch in any Python: ${torch ? 'found' : 'none'})`,
    async () => {
      for (const work of ['train', 'infer'] as const) {
        const options = {
          against: ['pytorch'],
          pythons: [torch?.path ?? ''],
          rounds: 1,
          clock: 'processor',
        } as const;
        const { sides, failed } = await compare({ ...tiny, work }, options);
        expect(failed).toEqual([]);
        expect(sides[2]?.about).toContain('plain torch.nn');
        expect(sides[2]?.difference).toBeLessThan(1e-3);
      }
    },
  );
});

describe('compare with TensorFlow.js', () => {
  it.skipIf(!tfjs)(
    `gets the same logits from it (skipped if not installed: ${tfjs ?? 'not installed'})`,
    async () => {
      const options = { against: ['tfjs'], pythons: [], rounds: 1, clock: 'processor' } as const;
      const { sides, failed } = await compare({ ...tiny, work: 'infer' }, options);
      expect(failed).toEqual([]);
      expect(sides[2]?.about).toContain('WebAssembly');
      expect(sides[2]?.difference).toBeLessThan(1e-4);
    },
  );
});

describe('compare with a model', () => {
  it.skipIf(!torch)('uses its weights on every side (skipped without torch in any Python)', async () => {
    const model = sampleModel('inception-resnet-v2', { classes: 10 });
    const options = {
      against: ['pytorch'],
      pythons: [torch?.path ?? ''],
      rounds: 1,
      clock: 'processor',
      model,
    } as const;
    const comparison = await compare({ ...tiny, work: 'infer' }, options);
    expect(comparison.sides[2]?.difference).toBeLessThan(1e-3);
    expect(formatComparison(comparison)).toContain('float32, weights of a small inception-resnet-v2, ');
  });
});

describe('compareOnnx', () => {
  const fixture = (name: string) =>
    fileURLToPath(new URL(`../../test/fixtures/pytorch-onnx/${name}`, import.meta.url));
  const alone = { against: [], pythons: [], rounds: 2, clock: 'processor' } as const;

  it('runs a file as it is, with the batch size it was exported for', async () => {
    const file = await describeOnnxWork({ path: fixture('torchscript.onnx'), threads: 1 });
    expect(file).toMatchObject({ work: { batch: 1 }, tensor: { name: 'input.1', shape: [1, 3, 64, 64] } });
    const { sides, missing } = await compareOnnx(file, alone);
    expect(sides.map(({ name, about, ms }) => [name, about, ms.count])).toEqual([
      ['ours', expect.stringMatching(/^ONNX Runtime 1\.\d+\.\d+ in Node\.js$/), 2],
    ]);
    expect(missing).toEqual([]);
  });

  it('accepts options for what the file leaves open', async () => {
    const path = fixture('any-size.onnx');
    const file = await describeOnnxWork({ path, batch: 3, size: [32, 48], threads: 1 });
    expect(file.tensor.shape).toEqual([3, 3, 32, 48]);
    expect(formatComparison(await compareOnnx(file, alone))).toMatch(
      /^infer .*any-size\.onnx batch 3 of unknown precision, 1 threads/,
    );
    await expect(describeOnnxWork({ path, threads: 1 })).rejects.toThrow(
      /accepts any size \(input: float32 \[n, 3, height, width\]\); expected --input-size/,
    );
    const fixed = fixture('torchscript.onnx');
    await expect(describeOnnxWork({ path: fixed, batch: 2, threads: 1 })).rejects.toThrow(
      /accepts only batches of 1 \(input\.1: float32 \[1, 3, 64, 64\]\); received --batch 2/,
    );
  });

  it.skipIf(!runtime)(
    "runs the same file with Python's ONNX Runtime (skipped if no Python has it)",
    async () => {
      const file = await describeOnnxWork({ path: fixture('dynamo.onnx'), batch: 2, threads: 1 });
      const options = { ...alone, against: ['onnxruntime'], pythons: [runtime?.path ?? ''] } as const;
      const { sides, failed } = await compareOnnx(file, options);
      expect(failed).toEqual([]);
      expect(sides[1]?.about).toContain('the same file');
      expect(sides[1]?.difference).toBeLessThan(1e-4);
    },
  );
});

describe('findPeers', () => {
  const options = { pythons: [], job: 'job.json', work: { ...tiny, work: 'infer' } } as const;

  it('uses one Python per version of torch, and an exporter for ONNX Runtime', () => {
    const peers = findPeers(['pytorch', 'torch-compile', 'onnxruntime'], {
      pythons: [
        { path: 'a', torch: '1.13.1', compile: false, cuda: false },
        { path: 'b', torch: '1.13.1', compile: false, cuda: false },
        { path: 'c', torch: '2.5.0', onnxruntime: '1.30.0', compile: true, cuda: true },
      ],
      job: 'job.json',
      work: { ...tiny, work: 'infer' },
    });
    expect(peers.found.map(({ name, command }) => [name, command])).toEqual([
      ['pytorch 1.13.1', 'a'],
      ['pytorch 2.5.0', 'c'],
      ['torch.compile 2.5.0', 'c'],
      ['onnxruntime 1.30.0', 'c'],
    ]);
    expect(peers.exporter?.command).toBe('a');
    expect(peers.missing).toEqual([]);
  });

  it('needs no PyTorch for an existing file', () => {
    const pythons = [{ path: 'a', onnxruntime: '1.30.0', compile: false, cuda: false }];
    expect(findPeers(['onnxruntime'], { ...options, pythons }).found).toEqual([]);
    const { found, exporter } = findPeers(['onnxruntime'], { ...options, pythons, exports: false });
    expect([found.map(({ name }) => name), exporter]).toEqual([['onnxruntime 1.30.0'], undefined]);
  });

  it('finds OpenVINO in the Python that has it, exported by the one that has PyTorch', () => {
    const pythons = [
      { path: 'a', torch: '2.5.0', compile: true, cuda: false },
      { path: 'b', openvino: '2026.4.1-22202-d21a4e3f0f5-releases/2026/4', compile: false, cuda: false },
    ];
    const { found, exporter } = findPeers(['openvino'], { ...options, pythons });
    expect(found).toMatchObject([{ name: 'openvino 2026.4.1', command: 'b' }]);
    expect(exporter?.command).toBe('a');
    const { missing } = findPeers(['openvino'], { ...options, pythons: pythons.slice(0, 1) });
    expect(missing[0]?.advice).toContain('pip install openvino');
    const training = findPeers(['openvino'], {
      ...options,
      pythons,
      work: { ...options.work, work: 'train' },
    });
    expect(training.leftOut).toEqual([
      { name: 'openvino', reason: "it cannot train here; expected 'bench infer'" },
    ]);
  });

  it('says what to install if everything is missing', () => {
    const { missing } = findPeers(['pytorch', 'onnxruntime'], options);
    expect(missing.map(({ name }) => name)).toEqual(['pytorch', 'onnxruntime']);
    expect(missing[0]?.advice).toContain('python3-torch');
  });

  it('says how to install TensorFlow.js if it is missing', () => {
    const { found, missing } = findPeers(['tfjs'], { ...options, tfjs: '/nowhere' });
    expect(found).toEqual([]);
    expect(missing[0]?.advice).toContain(
      'npm install --no-save @tensorflow/tfjs @tensorflow/tfjs-backend-wasm',
    );
  });

  it.each([
    ['train', 'float32', /no gradient of a convolution's filter and cannot train; expected 'bench infer'/],
    ['infer', 'bfloat16', /only float32; expected --precision float32/],
  ] as const)('excludes TensorFlow.js from %s in %s, with the reason', (work, precision, reason) => {
    const { found, missing, leftOut } = findPeers(['tfjs'], {
      ...options,
      work: { work, precision, device: 'cpu' },
    });
    expect([found, missing]).toEqual([[], []]);
    expect(leftOut).toEqual([{ name: 'tfjs', reason: expect.stringMatching(reason) }]);
  });

  it('uses only Pythons whose torch finds a device on CUDA, and excludes peers that run on the CPU', () => {
    const pythons = [
      { path: 'a', torch: '1.13.1', compile: false, cuda: false },
      { path: 'c', torch: '2.5.0', onnxruntime: '1.30.0', compile: true, cuda: true },
    ];
    const work = { ...options.work, device: 'cuda' } as const;
    const requested = ['pytorch', 'torch-compile', 'onnxruntime'] as const;
    const { found, leftOut } = findPeers(requested, { ...options, pythons, work });
    expect(found.map(({ command }) => command)).toEqual(['c', 'c']);
    expect(leftOut).toEqual([
      { name: 'onnxruntime', reason: 'it runs on the CPU here; expected --device cpu' },
    ]);
    const withoutCuda = findPeers(['pytorch'], { ...options, pythons: pythons.slice(0, 1), work });
    expect(withoutCuda.missing[0]?.advice).toContain('a CUDA build of torch');
  });

  it('ignores a Python that does not start', () => {
    expect(probePythons(['/nowhere/python'])).toEqual([]);
  });
});

describe('the job', () => {
  const graph = graphOfWork(tiny);

  it('resolves everything that a peer would otherwise have to infer', () => {
    const conv = describeNodes(graph, 0.1).find(({ op }) => op === 'conv');
    expect(conv?.attributes).toMatchObject({
      in: 3,
      out: 8,
      window: [3, 3],
      stride: 2,
      padding: [0, 0],
      bias: false,
    });
    expect(conv?.parameters).toEqual({ weight: 'stem/conv1/weight' });
  });

  it('has reproducible values, different for each name', () => {
    const values = (name: string) => benchValues({ name, role: 'convWeight', shape: [4, 4, 3, 3] });
    expect(values('a')).toEqual(values('a'));
    expect(values('a')).not.toEqual(values('b'));
    expect(benchValues({ name: 'g', role: 'gamma', shape: [2] })).toEqual(new Float32Array([1, 1]));
  });

  it('runs every convolution once in the floor, and its gradients in training', () => {
    const convolutions = graph.nodes.filter(({ op }) => op === 'conv').length;
    const calls = (work: 'train' | 'infer') =>
      compileFloor(graph, { ...tiny, work }, 'aten').program.steps.filter((step) => step.do === 'call')
        .length;
    expect(calls('infer')).toBe(convolutions);
    expect(calls('train')).toBe(2 * convolutions);
  });
});

describe('on CUDA', () => {
  it.each(['train', 'infer'] as const)(
    '%s uses no native operators, which exist only for the CPU',
    (work) => {
      const graph = graphOfWork(tiny);
      const job = describeJob(
        graph,
        { ...tiny, work, device: 'cuda' },
        { weights: '', images: '', onnx: '' },
      );
      const { program, prepare } = compileWork(graph, job, 'aten');
      const steps = [...program.steps, ...(prepare?.steps ?? [])];
      expect(steps.filter((step) => step.do === 'call' && step.operator.startsWith('inception::'))).toEqual(
        [],
      );
    },
  );

  it('waits for the floor by reading a result', () => {
    const { program } = compileFloor(graphOfWork(tiny), tiny, 'aten');
    expect(program.outputs).toEqual(['done']);
  });

  it('is not profiled step by step', async () => {
    await expect(profileWork({ ...tiny, device: 'cuda' }, { rounds: 1 })).rejects.toThrow(
      /^profile: expected --device cpu, received cuda: /,
    );
  });
});

describe('profileWork', () => {
  it('returns a table and a trace of one step', async () => {
    const profile = await profileWork({ ...tiny, work: 'infer' }, { rounds: 1 });
    const operators = perOperator(profile);
    expect(operators.reduce((sum, { fraction }) => sum + fraction, 0)).toBeCloseTo(1);
    expect(perLayer(profile).map(({ name }) => name)).toContain('stem/conv1');
    expect(formatProfile(profile, { layers: 3 })).toContain('slowest 3 layers');
    const { traceEvents } = JSON.parse(chromeTrace(profile));
    expect(traceEvents[0]).toMatchObject({ ph: 'X', ts: 0 });
  });
});
