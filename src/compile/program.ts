/**
 * A program: the flat list of steps that the engine runs, with its printer and its checker.
 *
 * Slots are numbered values in single assignment. A step calls an operator, loads from the store or from the inputs,
 * stores a value, outputs a result, or frees slots. Operators whose name ends in `_` write into their first argument: this
 * is how weights and statistics in the store change.
 */
import { InceptionError } from '../errors.ts';

export type Slot = number;

/** A slot as an argument: what emitting one step returns, later steps take. */
export interface Value {
  readonly slot: Slot;
}

export type DType = 'float32' | 'bfloat16' | 'int64' | 'uint8' | 'bool';

/**
 * One argument of an operator. Numbers, booleans, lists and strings are converted to what the operator's schema
 * declares: a number becomes int, float or Scalar; `dtype` a ScalarType; `memoryFormat` a MemoryFormat; `device` the
 * store's device and `generator` its random generator.
 */
export type Argument =
  | Value
  | { readonly slots: readonly Slot[] }
  | { readonly dtype: DType }
  | { readonly memoryFormat: 'contiguous' | 'channelsLast' }
  | { readonly device: 'store' }
  | { readonly generator: 'store' }
  | number
  | boolean
  | null
  | readonly number[]
  | readonly boolean[];

export interface Call {
  readonly do: 'call';
  /** `aten::convolution`; with an overload, `aten::add.Tensor`. */
  readonly operator: string;
  /** Positional arguments, then named ones; those left out take the schema's default. */
  readonly args: readonly Argument[];
  readonly named?: Readonly<Record<string, Argument>>;
  /** One slot per result; null for a result that is not needed. */
  readonly to: readonly (Slot | null)[];
  /** The layer that this step belongs to, for errors and profiles: `inceptionA/0/branch1/conv2`. */
  readonly layer: string;
  /** [n, c, h, w] of the first result, where a program pass needs it; the engine does not read it. */
  readonly shape?: readonly number[];
}

/** One step of a program. */
export type Step =
  | Call
  /** The store's tensor or view with this name; the slot is the tensor itself, not a copy. */
  | { readonly do: 'load'; readonly name: string; readonly to: Slot }
  /** Keeps a slot's tensor in the store, under one of the `computed` names of its spec. */
  | { readonly do: 'store'; readonly name: string; readonly from: Slot }
  /** One of the program's inputs, on the store's device. */
  | { readonly do: 'input'; readonly name: string; readonly to: Slot }
  /** Names a slot as a result that `run` returns. */
  | { readonly do: 'output'; readonly name: string; readonly from: Slot }
  | { readonly do: 'free'; readonly slots: readonly Slot[] };

export interface ProgramInput {
  readonly name: string;
  readonly dtype: DType;
  /** In C order; images are [n, h, w, c]. */
  readonly shape: readonly number[];
}

/** A flat list of steps for an engine; every slot is assigned once. */
export interface Program {
  /** `inception-v4 train batch 8 bfloat16` */
  readonly name: string;
  readonly inputs: readonly ProgramInput[];
  readonly outputs: readonly string[];
  /** Number of slots; every slot is below it. */
  readonly slots: number;
  readonly steps: readonly Step[];
}

/** A tensor that owns its memory in a store. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Initial value of every element; default 0. */
  readonly fill?: number;
}

/** A named part of a store's tensor, sharing its memory; strides and offset in elements. */
export interface ViewSpec {
  readonly name: string;
  readonly of: string;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/** The tensors that a store holds, and views of them. */
export interface StoreSpec {
  readonly tensors: readonly TensorSpec[];
  readonly views: readonly ViewSpec[];
  /** Names of tensors that `store` steps create; their type and shape are known only then. */
  readonly computed?: readonly string[];
}

/** A malformed program; the message names the step by its number. */
export class ProgramError extends InceptionError {
  override name = 'ProgramError';
}

/** The slots that an argument reads. */
export function slotsOf(argument: Argument): readonly Slot[] {
  if (typeof argument !== 'object' || argument === null || Array.isArray(argument)) return [];
  if ('slot' in argument) return [argument.slot];
  return 'slots' in argument ? argument.slots : [];
}

/** The slots that a step reads; a free reads nothing. */
export function reads(step: Step): readonly Slot[] {
  if (step.do === 'output' || step.do === 'store') return [step.from];
  if (step.do !== 'call') return [];
  const slots: Slot[] = [];
  for (const argument of step.args) collectSlots(argument, slots);
  for (const name in step.named) collectSlots(step.named[name] ?? null, slots);
  return slots;
}

function collectSlots(argument: Argument, slots: Slot[]): void {
  if (typeof argument !== 'object' || argument === null) return;
  if ('slot' in argument) slots.push(argument.slot);
  else if ('slots' in argument) slots.push(...argument.slots);
}

/** The slots that a step assigns. */
export function writes(step: Step): readonly Slot[] {
  if (step.do === 'call') return step.to.filter((slot) => slot !== null);
  return step.do === 'load' || step.do === 'input' ? [step.to] : [];
}

const operatorName = /^[a-z_]\w*::\w+(\.\w+)?$/;

/**
 * Refuses a program that is not in single assignment, reads a slot that is not assigned or already freed, names an
 * input, output or operator wrongly, or leaves a slot unfreed. With a store's spec it also refuses names that the store
 * lacks, and `store` steps for names that are not `computed`.
 * @throws ProgramError naming the step's number.
 */
export function checkProgram(program: Program, store?: StoreSpec): void {
  const computed = store && new Set(store.computed);
  const names = store && new Set([...store.tensors, ...store.views].map(({ name }) => name));
  const inputs = new Set(program.inputs.map(({ name }) => name));
  const missing = new Set(program.outputs);
  const [assigned, freed] = [1, 2];
  /** By slot; 0 until it is assigned. */
  const states = new Uint8Array(program.slots);
  program.steps.forEach((step, number) => {
    const refuse = (problem: string): never => {
      throw new ProgramError(`${program.name}: step ${number} (${printStep(step)}): ${problem}`);
    };
    const live = (slot: Slot) => {
      if (states[slot] === freed) refuse(`reads %${slot}, which an earlier step freed`);
      if (states[slot] !== assigned) refuse(`reads %${slot}, which no earlier step assigns`);
    };
    reads(step).forEach(live);
    for (const slot of writes(step)) {
      if (!Number.isSafeInteger(slot) || slot < 0 || slot >= program.slots) {
        refuse(`assigns %${slot}, expected a slot from 0 to ${program.slots - 1}`);
      }
      if (states[slot] !== 0) refuse(`assigns %${slot} a second time`);
      states[slot] = assigned;
    }
    if (step.do === 'free') {
      step.slots.forEach(live);
      for (const slot of step.slots) states[slot] = freed;
    }
    if (step.do === 'call' && !operatorName.test(step.operator)) {
      refuse(`'${step.operator}' is not an operator name; expected one like aten::add.Tensor`);
    }
    if (step.do === 'input' && !inputs.has(step.name)) refuse(`the program has no input '${step.name}'`);
    if (step.do === 'load' && names && !names.has(step.name) && !computed?.has(step.name))
      refuse(`the store has no tensor '${step.name}'`);
    if (step.do === 'store' && computed && !computed.has(step.name))
      refuse(`'${step.name}' is not among the store's computed tensors`);
    if (step.do === 'output' && !missing.delete(step.name)) {
      refuse(`'${step.name}' is not an output of the program, or is output twice`);
    }
  });
  const kept = states.indexOf(assigned);
  if (kept !== -1) throw new ProgramError(`${program.name}: %${kept} is never freed`);
  for (const name of missing) throw new ProgramError(`${program.name}: no step outputs '${name}'`);
}

/** The program as text, one step per line, with layers as comments; a layer's loads are printed below its name. */
export function printProgram(program: Program): string {
  const inputs = program.inputs.map(({ name, dtype, shape }) => `${name}: ${dtype}[${shape.join(', ')}]`);
  const lines = [`program ${program.name}`, `inputs ${inputs.join(', ') || 'none'}`];
  const digits = String(program.steps.length - 1).length;
  const layers = layersOf(program.steps);
  let printed = '';
  program.steps.forEach((step, number) => {
    const layer = layers[number] ?? printed;
    if (layer !== printed) lines.push(`# ${layer}`);
    printed = layer;
    lines.push(`${String(number).padStart(digits)}  ${printStep(step)}`);
  });
  return `${lines.join('\n')}\n`;
}

/** The layer of each call; loads and inputs take that of the next call. */
function layersOf(steps: readonly Step[]): readonly (string | undefined)[] {
  let next: string | undefined;
  return steps
    .toReversed()
    .map((step) => {
      if (step.do === 'call') next = step.layer;
      return step.do === 'call' || step.do === 'load' || step.do === 'input' ? next : undefined;
    })
    .reverse();
}

/** One step as text: `%7 = aten::add.Tensor(%5, %6, alpha=0.17)`. */
export function printStep(step: Step): string {
  switch (step.do) {
    case 'call': {
      const named = Object.entries(step.named ?? {}).map(
        ([name, value]) => `${name}=${printArgument(value)}`,
      );
      const results = step.to.some((slot) => slot !== null)
        ? `${step.to.map((slot) => (slot === null ? '_' : `%${slot}`)).join(', ')} = `
        : '';
      return `${results}${step.operator}(${[...step.args.map(printArgument), ...named].join(', ')})`;
    }
    case 'load':
      return `%${step.to} = load ${step.name}`;
    case 'input':
      return `%${step.to} = input ${step.name}`;
    case 'store':
      return `store ${step.name} = %${step.from}`;
    case 'output':
      return `output ${step.name} = %${step.from}`;
    case 'free':
      return `free ${step.slots.map((slot) => `%${slot}`).join(' ')}`;
  }
}

function printArgument(argument: Argument): string {
  if (argument === null) return 'none';
  if (typeof argument !== 'object') return String(argument);
  if (Array.isArray(argument)) return `[${argument.join(', ')}]`;
  const [[kind, value] = ['', '']] = Object.entries(argument);
  if (kind === 'slot') return `%${value}`;
  if (kind === 'slots') return `[${(value as Slot[]).map((slot) => `%${slot}`).join(', ')}]`;
  return kind === 'generator' || kind === 'device' ? kind : String(value);
}
