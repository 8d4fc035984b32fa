/**
 * Validates an ONNX file before ONNX Runtime loads it: reads every message that could refer to another file or to custom code, and
 * refuses such files. Nothing but the metadata is copied and nothing is trusted: lengths, nesting and counts are bounded. Field
 * numbers are those of onnx/onnx.proto. Pure; also for browsers.
 */
import protobuf from 'protobufjs/minimal.js';
import { DeployError } from '../deploy-error.ts';
import { knownOperators, repeatingOperators } from './operators.ts';

export interface ValidatedModel {
  readonly metadata: ReadonlyMap<string, string>;
  readonly operators: ReadonlySet<string>;
}

/** Nested subgraphs; ONNX's own control flow needs two or three levels. */
const maxDepth = 16;
const maxMetadataBytes = 16 << 20;
const maxStringBytes = 1 << 16;
const domains: readonly string[] = ['', 'ai.onnx'];

interface Validation {
  readonly metadata: Map<string, string>;
  readonly operators: Set<string>;
  metadataBytes: number;
  depth: number;
  graphs: number;
}

type Rule = (bytes: Uint8Array, validation: Validation) => void;

/** Rules for a message's fields; fields without a rule are skipped. */
interface Rules {
  readonly messages?: Readonly<Record<number, Rule>>;
  readonly numbers?: Readonly<Record<number, (value: number, validation: Validation) => void>>;
}

/**
 * Validates a file's bytes.
 * @throws DeployError naming the file and the problem: not ONNX, data in other files, operators of other domains, unknown
 * operators, functions.
 */
export function validateModel(model: Uint8Array, path: string): ValidatedModel {
  const validation: Validation = {
    metadata: new Map(),
    operators: new Set(),
    metadataBytes: 0,
    depth: 0,
    graphs: 0,
  };
  try {
    // ONNX Runtime would recognise its own format by these bytes.
    if (String.fromCharCode(...model.subarray(4, 8)) === 'ORTM')
      throw new DeployError("it is in ONNX Runtime's own format; expected ONNX");
    readMessage(model, { rules: modelRules, name: 'ModelProto', validation });
    if (validation.graphs === 0) throw new DeployError('it has no graph');
  } catch (error) {
    // A TypeError is a bug in the code; for invalid bytes protobufjs throws other errors.
    if (!(error instanceof Error) || error instanceof TypeError) throw error;
    const reason = error instanceof DeployError ? error.message : `it is not an ONNX file (${error.message})`;
    throw new DeployError(`${path}: ${reason}`, { cause: error });
  }
  return { metadata: validation.metadata, operators: validation.operators };
}

function readMessage(
  bytes: Uint8Array,
  { rules, name, validation }: { rules: Rules; name: string; validation: Validation },
): void {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const [field, wire] = [tag >>> 3, tag & 7];
    const rule = rules.messages?.[field];
    const number = rules.numbers?.[field];
    // Parsers differ in how they treat an unexpected wire type, and no exporter writes one.
    if (field === 0 || (rule && wire !== 2) || (number && wire !== 0))
      throw new DeployError(`field ${field} of a ${name} has the wire type ${wire}`);
    if (wire === 2) {
      const inner = reader.bytes();
      rule?.(inner, validation);
    } else if (wire === 0) {
      const value = reader.uint32();
      number?.(value, validation);
    } else if (wire === 1) reader.skip(8);
    else if (wire === 5) reader.skip(4);
    else throw new DeployError(`field ${field} of a ${name} has the wire type ${wire}`);
  }
}

const message =
  (name: string, rules: () => Rules): Rule =>
  (bytes, validation) =>
    readMessage(bytes, { rules: rules(), name, validation });

const refuse = (content: string): Rule => {
  return () => {
    throw new DeployError(`it has ${content}, which are refused`);
  };
};

function refuseOtherFiles(): never {
  throw new DeployError(
    'it has data in other files, which are refused; torch.onnx.export writes one file with external_data=False',
  );
}

function text(bytes: Uint8Array, maxBytes = maxStringBytes): string {
  if (bytes.length > maxBytes)
    throw new DeployError(`a string of ${bytes.length} bytes; expected at most ${maxBytes}`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new DeployError('a string that is not UTF-8');
  }
}

/** Of a node: a domain that the file imports and no node uses is harmless, and tf2onnx always imports ai.onnx.ml. */
const checkDomain: Rule = (bytes) => {
  const domain = text(bytes);
  if (!domains.includes(domain))
    throw new DeployError(
      `it has operators of the domain ${quoted(domain)}; only standard ONNX operators are accepted`,
    );
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

const graph: Rule = (bytes, validation) => {
  validation.graphs++;
  if (++validation.depth > maxDepth)
    throw new DeployError(`its graphs are nested more than ${maxDepth} deep`);
  readMessage(bytes, { rules: graphRules, name: 'GraphProto', validation });
  validation.depth--;
};

const attribute = message('AttributeProto', () => ({
  messages: { 5: tensor, 6: graph, 10: tensor, 11: graph, 22: sparseTensor, 23: sparseTensor },
}));

const node: Rule = (bytes, validation) => {
  let operator = '';
  readMessage(bytes, {
    name: 'NodeProto',
    validation,
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
  if (repeatingOperators.has(operator))
    throw new DeployError(
      `it has the operator '${operator}', which repeats a part of the graph as often as the file says, and is not accepted`,
    );
  if (!knownOperators.has(operator))
    throw new DeployError(`it has the operator ${quoted(operator)}, which is not accepted`);
  validation.operators.add(operator);
};

const graphRules: Rules = { messages: { 1: node, 5: tensor, 15: sparseTensor } };

const metadataEntry: Rule = (bytes, validation) => {
  validation.metadataBytes += bytes.length;
  if (validation.metadataBytes > maxMetadataBytes)
    throw new DeployError(`its metadata have more than ${maxMetadataBytes} bytes`);
  const entry = { key: '', value: '' };
  readMessage(bytes, {
    name: 'StringStringEntryProto',
    validation,
    rules: {
      messages: {
        1: (key) => {
          entry.key = text(key);
        },
        2: (value) => {
          entry.value = text(value, maxMetadataBytes);
        },
      },
    },
  });
  validation.metadata.set(entry.key, entry.value);
};

const modelRules: Rules = {
  messages: {
    7: graph,
    14: metadataEntry,
    20: refuse('training instructions'),
    25: refuse('functions of its own'),
  },
};
