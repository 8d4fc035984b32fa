import { describe, expect, it } from 'vitest';
import { sampleModel } from '../../../test/sample-model.ts';
import { valueNames } from '../../graph/value-names.ts';
import { networks } from '../../networks/networks.ts';
import { writtenOperators } from '../written-operators.ts';
import { toFloat16 } from './float16.ts';
import { innerValues } from './inner-values.ts';
import { exportGraph, onnxGraphOf } from './onnx-graph-of.ts';

describe('the values inside a file', () => {
  it.each(networks.map(({ name }) => name))('have the shapes that the network says: %s', async (network) => {
    const model = sampleModel(network);
    const graph = exportGraph(model.graph);
    const onnx = await onnxGraphOf(model, { input: 'uint8', softmax: true });
    const inner = innerValues(onnx);
    const dims = new Map(inner.map((value) => [value.name, value.dims]));
    const names = valueNames(graph);
    let compared = 0;
    for (const node of graph.nodes) {
      const found = dims.get(names[node.id] as string);
      if (!found) continue;
      const [height, width, channels] = node.shape;
      expect([node.path, ...found]).toEqual(
        found.length === 2 ? [node.path, 'n', channels] : [node.path, 'n', channels, height, width],
      );
      compared++;
    }
    expect(compared).toBeGreaterThan(30);
    expect(inner.length).toBe(onnx.nodes.flatMap(({ outputs }) => outputs).length - 1);
    expect([...new Set(onnx.nodes.map(({ op }) => op))].filter((op) => !writtenOperators.has(op))).toEqual(
      [],
    );
  });

  it('have the types of their precision', async () => {
    const half = innerValues(toFloat16(await onnxGraphOf(sampleModel('inception-v4'), { input: 'uint8' })));
    const type = (name: string) => half.find((value) => value.name === name)?.type;
    expect(type('preprocessing/planes')).toBe('uint8');
    expect(type('preprocessing/scaled')).toBe('float32');
    expect(type('stem/conv1')).toBe('float16');
  });
});
