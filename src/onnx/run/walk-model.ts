/**
 * Looks through an ONNX file before ONNX Runtime sees it: reads every message that could refer to another file or to code
 * that is not ONNX's own, and refuses the file for it. Nothing is copied but the metadata, and nothing is believed: lengths,
 * nesting and counts are bounded. Field numbers are those of onnx/onnx.proto. Pure; also for browsers.
 */
import protobuf from 'protobufjs/minimal.js';
import { DeployError } from '../deploy-error.ts';
import { knownOperators } from './operators.ts';

export interface WalkedModel {
  readonly metadata: ReadonlyMap<string, string>;
  readonly operators: ReadonlySet<string>;
}

/** Subgraphs within subgraphs; ONNX's own control flow needs two or three. */
const mostDepth = 16;
const mostMetadataBytes = 16 << 20;
const mostTextBytes = 1 << 16;
const domains: readonly string[] = ['', 'ai.onnx'];

interface Walk {
  readonly metadata: Map<string, string>;
  readonly operators: Set<string>;
  metadataBytes: number;
  depth: number;
  graphs: number;
}

type Rule = (bytes: Uint8Array, walk: Walk) => void;

/** What to do with a message's fields; fields without a rule are passed over. A number's value comes as `value`. */
interface Rules {
  readonly messages?: Readonly<Record<number, Rule>>;
  readonly numbers?: Readonly<Record<number, (value: number, walk: Walk) => void>>;
}

/**
 * Walks a file's bytes.
 * @throws DeployError naming the file and what is refused: bytes that are no ONNX, data in other files, operators of other
 * domains, unknown operators, functions.
 */
export function walkModel(model: Uint8Array, path: string): WalkedModel {
  const walk: Walk = { metadata: new Map(), operators: new Set(), metadataBytes: 0, depth: 0, graphs: 0 };
  try {
    // ONNX Runtime would take it for its own format, whatever the rest says.
    if (String.fromCharCode(...model.subarray(4, 8)) === 'ORTM')
      throw new DeployError("it is in ONNX Runtime's own format; expected ONNX");
    walkMessage(model, { rules: modelRules, name: 'ModelProto', walk });
    if (walk.graphs === 0) throw new DeployError('it has no graph');
  } catch (error) {
    // A TypeError is a mistake in the code, whatever the bytes; protobufjs tells the bytes' mistakes by others.
    if (!(error instanceof Error) || error instanceof TypeError) throw error;
    const reason = error instanceof DeployError ? error.message : `it is no ONNX file (${error.message})`;
    throw new DeployError(`${path}: ${reason}`, { cause: error });
  }
  return { metadata: walk.metadata, operators: walk.operators };
}

function walkMessage(
  bytes: Uint8Array,
  { rules, name, walk }: { rules: Rules; name: string; walk: Walk },
): void {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const [field, wire] = [tag >>> 3, tag & 7];
    const rule = rules.messages?.[field];
    const number = rules.numbers?.[field];
    // With another wire type a parser passes the field over, or not: such a file is nobody's.
    if (field === 0 || (rule && wire !== 2) || (number && wire !== 0))
      throw new DeployError(`field ${field} of a ${name} has the wire type ${wire}`);
    if (wire === 2) {
      const inner = reader.bytes();
      rule?.(inner, walk);
    } else if (wire === 0) {
      const value = reader.uint32();
      number?.(value, walk);
    } else if (wire === 1) reader.skip(8);
    else if (wire === 5) reader.skip(4);
    else throw new DeployError(`field ${field} of a ${name} has the wire type ${wire}`);
  }
}

const message =
  (name: string, rules: () => Rules): Rule =>
  (bytes, walk) =>
    walkMessage(bytes, { rules: rules(), name, walk });

const refuse = (what: string): Rule => {
  return () => {
    throw new DeployError(`it has ${what}, which are refused`);
  };
};

function refuseOtherFiles(): never {
  throw new DeployError(
    'it has data in other files, which are refused; torch.onnx.export writes one file with external_data=False',
  );
}

function text(bytes: Uint8Array, most = mostTextBytes): string {
  if (bytes.length > most) throw new DeployError(`a text of ${bytes.length} bytes; expected at most ${most}`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new DeployError('a text that is not UTF-8');
  }
}

const checkDomain: Rule = (bytes) => {
  const domain = text(bytes);
  if (!domains.includes(domain))
    throw new DeployError(`it has operators of the domain ${quoted(domain)}; only ONNX's own are accepted`);
};

const quoted = (name: string): string => JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);

const tensorRules: Rules = {
  messages: { 13: refuseOtherFiles },
  numbers: {
    14: (location) => {
      if (location !== 0) refuseOtherFiles();
    },
  },
};

const tensor = message('TensorProto', () => tensorRules);

const sparseTensor = message('SparseTensorProto', () => ({ messages: { 1: tensor, 2: tensor } }));

const graph: Rule = (bytes, walk) => {
  walk.graphs++;
  if (++walk.depth > mostDepth) throw new DeployError(`its graphs are nested more than ${mostDepth} deep`);
  walkMessage(bytes, { rules: graphRules, name: 'GraphProto', walk });
  walk.depth--;
};

const attribute = message('AttributeProto', () => ({
  messages: { 5: tensor, 6: graph, 10: tensor, 11: graph, 22: sparseTensor, 23: sparseTensor },
}));

const node: Rule = (bytes, walk) => {
  let operator = '';
  walkMessage(bytes, {
    name: 'NodeProto',
    walk,
    rules: {
      messages: {
        4: (name) => {
          operator = text(name);
        },
        5: attribute,
        7: checkDomain,
      },
    },
  });
  if (!knownOperators.has(operator))
    throw new DeployError(`it has the operator ${quoted(operator)}, which is not accepted`);
  walk.operators.add(operator);
};

const graphRules: Rules = { messages: { 1: node, 5: tensor, 15: sparseTensor } };

const metadataEntry: Rule = (bytes, walk) => {
  walk.metadataBytes += bytes.length;
  if (walk.metadataBytes > mostMetadataBytes)
    throw new DeployError(`its metadata have more than ${mostMetadataBytes} bytes`);
  const entry = { key: '', value: '' };
  walkMessage(bytes, {
    name: 'StringStringEntryProto',
    walk,
    rules: {
      messages: {
        1: (key) => {
          entry.key = text(key);
        },
        2: (value) => {
          entry.value = text(value, mostMetadataBytes);
        },
      },
    },
  });
  walk.metadata.set(entry.key, entry.value);
};

const modelRules: Rules = {
  messages: {
    7: graph,
    8: message('OperatorSetIdProto', () => ({ messages: { 1: checkDomain } })),
    14: metadataEntry,
    20: refuse('instructions for training'),
    25: refuse('functions of its own'),
  },
};
