/**
 * Swaps average pooling with the 1x1 convolution after it, where the convolution has fewer filters than input channels. Both
 * are linear, one over the grid and one over the channels, so they commute. The convolution costs the same and can merge with
 * its siblings, and the pooling moves less data. Not for strided pooling: the convolution would compute positions that the
 * pooling skips. Nor for pooling that is an endpoint, whose result is asked for by name.
 *
 * A bias commutes only if the pooling excludes its padding, because only then is the mean of a constant that constant.
 */
import type { Graph, Node, NodeOf } from '../graph/graph.ts';
import { consumersOf, Rewriting } from './rewrite.ts';

export function exchangePooling(graph: Graph): Graph {
  const consumers = consumersOf(graph);
  const named = new Set(graph.endpoints.values());
  const pooled = new Map<number, NodeOf<'avgPool'>>();
  for (const node of graph.nodes) {
    const source = node.op === 'conv' ? graph.nodes[node.inputs[0] as number] : undefined;
    if (node.op !== 'conv' || source?.op !== 'avgPool' || consumers[source.id]?.length !== 1) continue;
    if (
      isPointwise(node) &&
      passesBias(node, source) &&
      source.attributes.stride === 1 &&
      !named.has(source.id) &&
      node.shape[2] < source.shape[2]
    )
      pooled.set(node.id, source);
  }
  const moved = new Set([...pooled.values()].map(({ id }) => id));
  const rewriting = new Rewriting(graph);
  for (const node of graph.nodes) {
    const pool = pooled.get(node.id);
    if (pool && node.op === 'conv') {
      const input = pool.inputs[0] as number;
      const [height, width] = (graph.nodes[input] as Node).shape;
      const shape = [height, width, node.shape[2]] as const;
      const conv = rewriting.add({ ...node, shape, inputs: [rewriting.find(input)] });
      rewriting.replace(node.id, rewriting.add({ ...pool, shape: node.shape, inputs: [conv] }));
    } else if (!moved.has(node.id)) {
      rewriting.keep(node);
    }
  }
  return rewriting.finish();
}

const isPointwise = ({ attributes: { window, stride, padding } }: NodeOf<'conv'>): boolean =>
  window.join() === '1,1' && stride === 1 && padding.join() === '0,0';

const passesBias = ({ attributes: { bias } }: NodeOf<'conv'>, pool: NodeOf<'avgPool'>): boolean =>
  !bias || !pool.attributes.countPadding || pool.attributes.padding.join() === '0,0';
