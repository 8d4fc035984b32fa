/** What inference computes once from the parameters: convolution weights and biases, folded, cast and packed. */
import { type Graph, isStatistic, type Node, type NodeOf, type Parameter } from '../../graph/graph.ts';
import { Emitter } from '../emitter.ts';
import { mergedName } from '../layout.ts';
import type { InferenceOptions, Precision } from '../options.ts';
import type { Program, Value } from '../program.ts';
import { isPacked, packingOf } from '../rules/native-inference.ts';
import { channelsLast, sizesOf } from '../rules/rule.ts';
import { type Int8Convolution, int8Convolution, int8Names } from './int8/int8-convolution.ts';

/** The stored name of a parameter, or of its running average. */
export const sourceName = (
  { name, role }: Pick<Parameter, 'name' | 'role'>,
  { parameters = 'weights' }: InferenceOptions,
): string => (parameters === 'averages' && !isStatistic({ role }) ? `averages/${name}` : name);

export const preparedName = (name: string, { parameters = 'weights', precision }: InferenceOptions): string =>
  `prepared/${parameters}/${precision}/${name}`;

/** Stores every convolution's weight and bias as `prepared/…`: folded, in the program's precision, packed where the kernel needs it. */
export function compilePreparation(graph: Graph, options: InferenceOptions): Program {
  const emitter = new Emitter();
  for (const node of graph.nodes) {
    if (node.op !== 'conv') continue;
    emitter.layer = node.path;
    const preparation = { emitter, graph, options };
    const int8 = int8Convolution(node, graph);
    if (int8) prepareInt8(node, int8, preparation);
    else prepareConvolution(node, preparation);
  }
  return emitter.finish(`${graph.network.name} prepare ${options.precision}`);
}

/** The names under which a program stores what it computes. */
export const storedNames = ({ steps }: Program): readonly string[] =>
  steps.flatMap((step) => (step.do === 'store' ? [step.name] : []));

interface Preparation {
  readonly emitter: Emitter;
  readonly graph: Graph;
  readonly options: InferenceOptions;
}

function prepareConvolution(node: NodeOf<'conv'>, preparation: Preparation): void {
  const { emitter, graph, options } = preparation;
  const { batch, kernels = 'native' } = options;
  const precision = options.precision === 'int8' ? 'float32' : options.precision;
  const { members, joined } = folded(node, preparation);
  const cast = (value: Value, dtype: Precision = precision, named = {}) =>
    emitter.call('aten::_to_copy', [value], { dtype: { dtype }, ...named });
  const store = (part: 'weight' | 'bias', value: Value) =>
    emitter.store(preparedName(mergedName(partOf(node, part)), options), value);
  const packed = kernels === 'native' && isPacked(node);
  const weight = joined(members.map((member) => member.weight));
  if (packed) {
    const rounded = precision === 'float32' ? weight : cast(weight);
    const input = sizesOf(graph.nodes[node.inputs[0] as number] as Node, batch);
    store('weight', emitter.call('inception::pack_convolution', [rounded, input, ...packingOf(node)]));
  } else {
    store('weight', cast(weight, precision, channelsLast));
  }
  if (!node.attributes.bias) return;
  const bias = cast(joined(members.flatMap((member) => member.bias ?? [])));
  // Native operators add the bias in float32; it is still rounded, to match libtorch's convolutions.
  store('bias', packed && precision !== 'float32' ? cast(bias, 'float32') : bias);
}

/** The folded members of a convolution, and how their parts become one tensor. */
function folded(node: NodeOf<'conv'>, preparation: Preparation) {
  const members = node.parameters.members.map((_, index) => foldMember(node, index, preparation));
  const joined = (parts: readonly Value[]): Value =>
    parts.length === 1 ? (parts[0] as Value) : preparation.emitter.call('aten::cat', [parts, 0]);
  return { members, joined };
}

/** Stores int8 weights, and beside the bias the value of a product. */
function prepareInt8(node: NodeOf<'conv'>, int8: Int8Convolution, preparation: Preparation): void {
  const { emitter, options } = preparation;
  const { members, joined } = folded(node, preparation);
  const weight = joined(members.map((member) => member.weight));
  const bias = joined(members.flatMap((member) => member.bias ?? []));
  const { input, geometry } = int8;
  const sizes = [options.batch, ...int8.inputSizes];
  const results = emitter.calls(
    'inception::pack_convolution_int8',
    [weight, bias, input.scale, input.zeroPoint, sizes, ...geometry],
    3,
  );
  const names = int8Names(node).map((name) => preparedName(name, options));
  for (const [index, name] of names.entries()) emitter.store(name, results[index] as Value);
}

/** One part of the parameters of all members of a merged convolution. */
const partOf = ({ parameters: { members } }: NodeOf<'conv'>, part: 'weight' | 'bias'): readonly Parameter[] =>
  members.flatMap((member) => member[part] ?? []);

/** The float32 weight and bias of one member, with batch normalisation and residual scale folded in. */
function foldMember(
  node: NodeOf<'conv'>,
  index: number,
  { emitter, graph, options }: Preparation,
): { weight: Value; bias?: Value } {
  const source = (parameter: Parameter): Value => emitter.load(sourceName(parameter, options));
  const { scale = 1, batchNorm } = node.attributes.folded ?? {};
  const scaled = (value: Value) => (scale === 1 ? value : emitter.call('aten::mul.Scalar', [value, scale]));
  const { weight, bias } = node.parameters.members[index] as { weight: Parameter; bias?: Parameter };
  const norm = batchNorm?.parameters.members[index];
  if (!batchNorm || !norm)
    return { weight: scaled(source(weight)), ...(bias && { bias: scaled(source(bias)) }) };
  const part = (name: keyof typeof norm) => source(norm[name] as Parameter);
  const shifted = emitter.call('aten::add.Scalar', [part('movingVariance'), batchNorm.epsilon]);
  const inverse = emitter.call('aten::rsqrt', [shifted]);
  const factor = scaled(
    graph.network.gamma ? emitter.call('aten::mul.Tensor', [part('gamma'), inverse]) : inverse,
  );
  const perFilter = emitter.call('aten::view', [factor, [weight.shape[0] as number, 1, 1, 1]]);
  const folded = emitter.call('aten::mul.Tensor', [source(weight), perFilter]);
  const meanScaled = emitter.call('aten::mul.Tensor', [part('movingMean'), factor]);
  // The folded bias replaces the batch normalisation's beta.
  return { weight: folded, bias: emitter.call('aten::sub.Tensor', [scaled(part('beta')), meanScaled]) };
}
