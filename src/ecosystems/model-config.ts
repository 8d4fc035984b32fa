/**
 * What a Keras model's configuration (`config.json` of a `.keras` archive, `model_config` of a whole model's `.h5`) says besides its
 * weights: the size of its input, how it scales pixels, and layers that would make its results others than those of the network.
 */

/** The configuration's words that matter here. */
export interface ModelConfig {
  /** [height, width] of the network's input, if it has a fixed one. */
  readonly inputSize: readonly [height: number, width: number] | undefined;
  /** Values that reach the network are scale · x + offset, for pixels x from 0 to 255; undefined if the model does not scale. */
  readonly scaling: { readonly scale: number; readonly offset: number } | undefined;
  /** Layers before the network that change its input in another way: `Normalization 'normalization'`. */
  readonly unknownBefore: readonly string[];
  /** Layers after the network that the classifier here does not have. */
  readonly unknownAfter: readonly string[];
  /** Of each fully connected layer before the classifier. */
  readonly hidden: readonly { readonly name: string; readonly activation: string }[];
  /** [height, width] of an average pooling whose windows do not overlap, after the network. */
  readonly pooling: readonly [height: number, width: number] | undefined;
  /** Of the classifier: `softmax`, `sigmoid`, `linear`, …. */
  readonly activation: string | undefined;
}

interface Layer {
  readonly kind: string;
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly node: Readonly<Record<string, unknown>>;
}

/** Layers that are identities at evaluation. */
const neutral =
  /^(InputLayer|Random\w+|.*Dropout|GaussianNoise|ActivityRegularization|Identity|AutoContrast)$/;
const afterKnown =
  /^(GlobalAveragePooling2D|BatchNormalization|Activation|ReLU|Concatenate|Dense|Flatten|Softmax)$/;

/** Undefined if it lists no convolutions, as of a model that is a class of its own. @throws SyntaxError if the text is not JSON. */
export function readModelConfig(text: string): ModelConfig | undefined {
  const layers = flatten(JSON.parse(text), 0);
  const convolutions = layers.flatMap(({ kind }, index) => (kind === 'Conv2D' ? [index] : []));
  const [first, last] = [convolutions[0], convolutions.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const before = layers.slice(0, first);
  const after = layers.slice(last + 1);
  const { scaling, unknown } = scalingOf(before);
  // In a flat model, the network's last convolution stands among its other layers; the head follows its pooling.
  const pooled = after.findLastIndex(({ kind }) => /Pooling|Flatten/.test(kind));
  const denses = after.flatMap(({ kind }, index) => (kind === 'Dense' ? [index] : []));
  const dense = after[denses.at(-1) ?? -1];
  const pool = after.find(isWholePooling);
  const closing = after.slice(pooled + 1).filter(({ kind }) => /^(Activation|Softmax)$/.test(kind));
  return {
    inputSize: sizeOf(layers, first),
    scaling,
    unknownBefore: unknown,
    unknownAfter: after
      .filter((each) => each !== pool && !neutral.test(each.kind) && !afterKnown.test(each.kind))
      .map(label),
    hidden: denses.slice(0, -1).map((from, index) => {
      const layers = after.slice(from, denses[index + 1]);
      return { name: layers[0]?.name ?? '', activation: activationsOf(layers).join(' and ') || 'linear' };
    }),
    pooling: pool && (pool.config.pool_size as [number, number]),
    activation: dense && activationOf([dense, ...closing]),
  };
}

const label = ({ kind, name }: Layer): string => `${kind} '${name}'`;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** All layers in their order, those of nested models in the place of the model. */
function flatten(value: unknown, depth: number): Layer[] {
  if (!isRecord(value) || depth > 8) return [];
  const config = isRecord(value.config) ? value.config : {};
  const inner = Array.isArray(config.layers) ? config.layers : undefined;
  if (inner) return inner.flatMap((layer) => flatten(layer, depth + 1));
  const kind = typeof value.class_name === 'string' ? value.class_name : '';
  return [{ kind, name: String(config.name ?? value.name ?? ''), config, node: value }];
}

/** Of the last input before the first convolution: a nested model's own, after the layers that may have resized an image. */
function sizeOf(layers: readonly Layer[], first: number): ModelConfig['inputSize'] {
  for (const { config } of layers.slice(0, first + 1).reverse()) {
    const shape = config.batch_shape ?? config.batch_input_shape;
    if (!Array.isArray(shape)) continue;
    const [, height, width] = shape as unknown[];
    if (isSize(height) && isSize(width)) return [height, width];
  }
  return undefined;
}

const isSize = (value: unknown): value is number => Number.isInteger(value) && Number(value) > 0;

/** Keras's arithmetic on tensors, which `preprocess_input` inside a model consists of. */
const arithmetic: Readonly<Record<string, (scaling: Scaling, value: number) => Scaling>> = {
  truediv: ({ scale, offset }, value) => ({ scale: scale / value, offset: offset / value }),
  multiply: ({ scale, offset }, value) => ({ scale: scale * value, offset: offset * value }),
  subtract: ({ scale, offset }, value) => ({ scale, offset: offset - value }),
  add: ({ scale, offset }, value) => ({ scale, offset: offset + value }),
};
const operations: Readonly<Record<string, string>> = {
  TrueDivide: 'truediv',
  Divide: 'truediv',
  Multiply: 'multiply',
  Subtract: 'subtract',
  Add: 'add',
};

interface Scaling {
  readonly scale: number;
  readonly offset: number;
}

function scalingOf(layers: readonly Layer[]): { scaling: Scaling | undefined; unknown: string[] } {
  let scaling: Scaling | undefined;
  const unknown: string[] = [];
  for (const layer of layers) {
    if (neutral.test(layer.kind)) continue;
    const next = scaled(scaling ?? { scale: 1, offset: 0 }, layer);
    if (next) scaling = next;
    else unknown.push(label(layer));
  }
  return { scaling, unknown };
}

function scaled(current: Scaling, { kind, config, node }: Layer): Scaling | undefined {
  if (kind === 'Rescaling') {
    const { scale, offset = 0 } = config;
    if (typeof scale !== 'number' || typeof offset !== 'number') return undefined;
    return { scale: current.scale * scale, offset: current.offset * scale + offset };
  }
  const word = kind === 'TFOpLambda' ? String(config.function).split('.').at(-1) : operations[kind];
  const value = constantIn(node.inbound_nodes);
  const apply = word === undefined ? undefined : arithmetic[word];
  return apply && value !== undefined ? apply(current, value) : undefined;
}

/** The one number among the arguments of a call. */
function constantIn(nodes: unknown): number | undefined {
  const numbers: number[] = [];
  const visit = (value: unknown, depth: number): void => {
    if (depth > 6) return;
    if (isRecord(value)) {
      if (value.class_name === '__keras_tensor__') return;
      for (const [key, inner] of Object.entries(value)) {
        if (typeof inner === 'number' && /^(x2|y)$/.test(key)) numbers.push(inner);
        else visit(inner, depth + 1);
      }
    } else if (Array.isArray(value)) {
      // [layer, node index, tensor index, arguments] names a tensor; a list of a call's arguments holds the number itself.
      const isTensor = typeof value[0] === 'string';
      for (const inner of value) {
        if (typeof inner === 'number' && !isTensor) numbers.push(inner);
        else visit(inner, depth + 1);
      }
    }
  };
  visit(nodes, 0);
  return numbers.length === 1 ? numbers[0] : undefined;
}

/** Average pooling by windows beside each other, as `AveragePooling2D((8, 8))` before `Flatten`. */
function isWholePooling({ kind, config: { pool_size: window, strides, padding } }: Layer): boolean {
  const isPair = Array.isArray(window) && window.length === 2 && window.every(isSize);
  return kind === 'AveragePooling2D' && isPair && String(strides) === String(window) && padding === 'valid';
}

/** All that are not the identity, in order. */
function activationsOf(layers: readonly Layer[]): string[] {
  const words = layers.map(({ kind, config }) => {
    if (kind !== 'ReLU') return config.activation;
    const isPlain = !config.max_value && !config.threshold && !config.negative_slope;
    return isPlain ? 'relu' : 'a ReLU with bounds';
  });
  return words.filter((word) => typeof word === 'string' && word !== 'linear') as string[];
}

/** Of the last layer that has one which is not the identity. */
function activationOf(layers: readonly Layer[]): string {
  const words = layers.map(({ kind, config }) =>
    kind === 'Softmax' ? 'softmax' : typeof config.activation === 'string' ? config.activation : 'linear',
  );
  return words.filter((word) => word !== 'linear').at(-1) ?? 'linear';
}
