import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, describe, expect, it } from 'vitest';
import { openTorch } from '../engine/torch.ts';
import { buildGraph } from '../graph/build-graph.ts';
import { configure, findNetwork, type NetworkOptions } from '../networks/networks.ts';
import { planPredictor } from './torch-predictor.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const engine = openTorch({ device: 'cpu' });
afterAll(() => engine.close());

/** Resident memory of this process in MB. */
function residentMB(): number {
  collectGarbage();
  return process.memoryUsage().rss / 1e6;
}

async function open(name: string, options: NetworkOptions) {
  const graph = buildGraph(configure(findNetwork(name), options));
  const { spec, open: load } = planPredictor(graph, { batch: 1, precision: 'float32' });
  const store = await engine.createStore(spec);
  const predictor = await load(engine, store);
  await predictor.refresh();
  const [height, width, channels] = graph.network.input;
  await predictor.predict(new Uint8Array(height * width * channels));
  return () => {
    predictor.release();
    store.release();
  };
}

describe('a predictor', () => {
  it('gives its memory back at once when it is released', async () => {
    // What the process loads with its first model is not the model's.
    const small = await open('inception-v4', { inputSize: 75, width: 0.05, blocks: { A: 1, B: 1, C: 1 } });
    small();
    const before = residentMB();
    const release = await open('inception-v4', { inputSize: 75 });
    const during = residentMB();
    release();
    const after = residentMB();
    // 171 MB of parameters, and as much folded and packed.
    expect(during - before).toBeGreaterThan(300);
    expect(after - before).toBeLessThan(60);
  });
});
