/**
 * Lowers a graph whose values have ranges: what reads and gives bytes by the native operators on bytes, everything else by the rules of
 * float32, with its inputs converted and its result converted back where that has a range.
 */
import type { Node, NodeOf, Op, Parameter } from '../../../graph/graph.ts';
import type { Quantisation } from '../../../int8/quantisation.ts';
import { consumersOf } from '../../../passes/rewrite.ts';
import type { Emitter } from '../../emitter.ts';
import type { Value } from '../../program.ts';
import { type Lowering, membersOf, type Result, type Rule, type Rules, sizesOf } from '../../rules/rule.ts';
import { int8Convolution, int8Names } from './int8-convolution.ts';

/** A node's result; `steps` if it is bytes, without a scale where its parts have one each. */
interface Int8Result {
  readonly value: Value;
  readonly bytes: boolean;
  readonly steps?: Quantisation | undefined;
  /** The ReLU that reads it is applied already. */
  readonly rectified?: boolean;
}

interface Int8Lowering extends Lowering {
  /** How the node's own result is stored, or that of the ReLU after it. */
  readonly own: Quantisation | undefined;
  readonly rectifies: boolean;
}

type Int8Rule<K extends Op> = (
  node: NodeOf<K>,
  inputs: readonly Int8Result[],
  lowering: Int8Lowering,
) => Int8Result | undefined;

/** The float32 result of each node that is read as such, and of all endpoints, by node id. */
export function lowerInt8(lowering: Lowering, rules: Rules<Result>): readonly Result[] {
  const { emitter, graph, batch } = lowering;
  const named = new Set([...graph.endpoints.values(), graph.features, graph.logits]);
  const lowered: Int8Result[] = [];
  const floats: Value[] = [];
  const asFloats = (id: number): Value => {
    const { value, bytes, steps } = lowered[id] as Int8Result;
    if (!bytes) return value;
    if (!steps) throw new Error(`int8: the merged result ${id} is read as a whole`);
    floats[id] ??= described(
      emitter.call('inception::dequantise_bytes', [value, steps.scale, steps.zeroPoint]),
      graph.nodes[id] as Node,
    );
    return floats[id];
  };
  const consumers = consumersOf(graph);
  /** The steps of a ReLU that alone reads a node, which has none itself: ranges are found behind ReLUs that runtimes fuse. */
  const reluAfter = ({ id, op }: Node): Quantisation | undefined => {
    const [reader = -1, ...others] = consumers[id] ?? [];
    const fuses = (op === 'avgPool' || op === 'scaledAdd') && others.length === 0 && !named.has(id);
    return fuses && graph.nodes[reader]?.op === 'relu' ? graph.quantised?.get(reader) : undefined;
  };
  const described = (value: Value, node: Node): Value => {
    emitter.describe(value, sizesOf(node, batch));
    return value;
  };
  for (const node of graph.nodes) {
    emitter.layer = node.path;
    const own = graph.quantised?.get(node.id);
    const inputs = node.inputs.map((id) => lowered[id] as Int8Result);
    const rule = int8Rules[node.op] as Int8Rule<Op> | undefined;
    const relu = own ? undefined : reluAfter(node);
    const context = { ...lowering, own: own ?? relu, rectifies: relu !== undefined };
    const result = inputs.some(({ bytes }) => bytes) ? rule?.(node, inputs, context) : undefined;
    if (result) {
      described(result.value, node);
      lowered.push(result);
      continue;
    }
    const plain = rules[node.op] as Rule<Op, Result>;
    const { value } = plain(
      node,
      node.inputs.map(asFloats) as unknown as Parameters<typeof plain>[1],
      lowering,
    );
    described(value, node);
    lowered.push(own ? quantised(node, value, own) : { value, bytes: false });
  }
  return lowered.map((result, id) => ({
    get value() {
      return named.has(id) ? asFloats(id) : result.value;
    },
  }));

  function quantised(node: Node, value: Value, { scale, zeroPoint }: Quantisation): Int8Result {
    const bytes = emitter.call('inception::quantise_bytes', [value, scale, zeroPoint]);
    return { value: described(bytes, node), bytes: true, steps: { scale, zeroPoint } };
  }
}

const same = (a: Quantisation | undefined, b: Quantisation | undefined): boolean =>
  a !== undefined && a.scale === b?.scale && a.zeroPoint === b.zeroPoint;

/** The result of an operator, stored as the node's own. */
const inBytes = (value: Value, steps: Quantisation | undefined): Int8Result => ({
  value,
  bytes: true,
  steps,
});

/** Undefined where the inputs or the result are float32: the rule for float32 applies. */
const int8Rules: { readonly [K in Op]?: Int8Rule<K> } = {
  conv: (node, [input, residual], { emitter, graph, own, stored }) => {
    const int8 = int8Convolution(node, graph);
    if (!int8 || !input) return undefined;
    const { floats, geometry, pads, sumScale, zeroPoint } = int8;
    const { padding, relu = false } = node.attributes;
    const [vertical, horizontal] = padding;
    const sides = [horizontal, horizontal, vertical, vertical];
    const source = pads ? padded(input, sides, { emitter, byte: int8.input.zeroPoint }) : input.value;
    const [member] = membersOf(node, 'weight') as readonly [Parameter];
    const parameters = int8Names(node).map((name) => emitter.load(stored(name, node, member)));
    const { output } = int8;
    const steps = [output.map(({ scale }) => scale), output.map(({ offset }) => offset)] as const;
    const filters = output.map((part) => part.filters);
    const sum = [residual?.value ?? null, sumScale] as const;
    const args = [source, ...parameters, ...sum, ...steps, filters, ...geometry, relu, zeroPoint, floats];
    const value = emitter.call('inception::convolution_int8', args);
    return { value, bytes: !floats, steps: own };
  },
  pad: ({ attributes: { before, after, value } }, [input], { emitter, own }) => {
    if (!input?.steps || !same(own, input.steps)) return undefined;
    const { scale, zeroPoint } = input.steps;
    const sides = [before[1], after[1], before[0], after[0]];
    // −∞, behind which no maximum lies, is the smallest value.
    const byte = Math.min(Math.max(Math.round(value / scale) + zeroPoint, 0), 255);
    return inBytes(padded(input, sides, { emitter, byte }), own);
  },
  maxPool: ({ attributes: { window, stride, padding } }, [input], { emitter, own }) =>
    input && same(own, input.steps)
      ? inBytes(emitter.call('inception::max_pool_bytes', [input.value, window, stride, padding]), own)
      : undefined,
  avgPool: (node, [input], { emitter, own, rectifies: rectified }) => {
    if (!input?.steps || !own) return undefined;
    const { window, stride, padding, countPadding } = node.attributes;
    const steps = [input.steps.scale / own.scale, input.steps.zeroPoint, own.zeroPoint] as const;
    const args = [input.value, window, stride, padding, countPadding, ...steps, rectified];
    return { ...inBytes(emitter.call('inception::avg_pool_bytes', args), own), rectified };
  },
  concat: (_, inputs, { emitter, own }) =>
    inputs.every(({ steps }) => same(own, steps))
      ? inBytes(emitter.call('inception::concat_bytes', [inputs.map(({ value }) => value)]), own)
      : undefined,
  slice: ({ attributes: { from, to } }, [input], { emitter, own }) =>
    input && own && (input.steps === undefined || same(own, input.steps))
      ? inBytes(emitter.call('aten::slice.Tensor', [input.value, 1, from, to, 1]), own)
      : undefined,
  relu: (_, [input], { emitter, own }) => {
    if (!input?.steps || !own) return undefined;
    if (input.rectified) return input;
    const factor = input.steps.scale / own.scale;
    const offset = own.zeroPoint - factor * input.steps.zeroPoint;
    const args = [input.value, null, factor, 0, offset, own.zeroPoint];
    return inBytes(emitter.call('inception::combine_bytes', args), own);
  },
  scaledAdd: ({ attributes }, [input, branch], { emitter, own, rectifies: rectified }) => {
    const { scale, relu = rectified } = attributes;
    if (!input?.steps || !branch?.steps || !own) return undefined;
    const [factor, branchFactor] = [input.steps.scale / own.scale, (scale * branch.steps.scale) / own.scale];
    const zeros = factor * input.steps.zeroPoint + branchFactor * branch.steps.zeroPoint;
    const low = relu ? own.zeroPoint : 0;
    const args = [input.value, branch.value, factor, branchFactor, own.zeroPoint - zeros, low];
    return { ...inBytes(emitter.call('inception::combine_bytes', args), own), rectified };
  },
  dropout: (_, [input]) => input,
};

/** Bytes of one value around an input. */
const padded = (
  { value }: Int8Result,
  sides: readonly number[],
  { emitter, byte }: { emitter: Emitter; byte: number },
): Value => emitter.call('aten::constant_pad_nd', [value, sides, byte]);
