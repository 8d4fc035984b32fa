/** Builds a program step by step: numbers the slots and loads each stored tensor once. */

import type { Argument, Call, DType, Program, ProgramInput, Slot, Step, Value } from './program.ts';
import { finish } from './program-passes/finish/finish.ts';

/** An operator's argument; an array of values is one tensor list. */
export type Operand = Argument | readonly Value[];

/** The results of an operator, by their count. */
interface Results {
  readonly 1: readonly [Value];
  readonly 2: readonly [Value, Value];
  readonly 3: readonly [Value, Value, Value];
}

type Named = Readonly<Record<string, Argument>>;
type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

export class Emitter {
  /** Layer that the next steps belong to. */
  layer = '';
  readonly #steps: Step[] = [];
  readonly #inputs: ProgramInput[] = [];
  readonly #outputs: string[] = [];
  readonly #loaded = new Map<string, Value>();
  /** The call that makes each slot, for {@link describe}. */
  readonly #makers = new Map<Slot, Writable<Call>>();
  #slots = 0;

  /** Emits an operator with one result, or one that only writes into its arguments. */
  call(operator: string, operands: readonly Operand[], named?: Named): Value {
    return this.calls(operator, operands, 1, named)[0];
  }

  /** Emits an operator with several results, some of which may stay unread. */
  calls<Count extends keyof Results>(
    operator: string,
    operands: readonly Operand[],
    count: Count,
    named?: Named,
  ): Results[Count] {
    const results = Array.from({ length: count }, () => this.#next());
    const to = results.map(({ slot }) => slot);
    const args = operands.map(asArgument);
    const call: Call = { do: 'call', operator, args, ...(named && { named }), to, layer: this.layer };
    this.#steps.push(call);
    this.#makers.set(to[0] as Slot, call);
    return results as unknown as Results[Count];
  }

  /** The store's tensor or view of this name. */
  load(name: string): Value {
    const loaded = this.#loaded.get(name) ?? this.#next();
    if (!this.#loaded.has(name)) this.#steps.push({ do: 'load', name, to: loaded.slot });
    this.#loaded.set(name, loaded);
    return loaded;
  }

  /** Keeps a value in the store under one of its `computed` names. */
  store(name: string, value: Value): void {
    this.#steps.push({ do: 'store', name, from: value.slot });
  }

  input(name: string, dtype: DType, shape: readonly number[]): Value {
    const value = this.#next();
    this.#inputs.push({ name, dtype, shape });
    this.#steps.push({ do: 'input', name, to: value.slot });
    return value;
  }

  output(name: string, value: Value): void {
    this.#outputs.push(name);
    this.#steps.push({ do: 'output', name, from: value.slot });
  }

  /** Records a value's shape [n, c, h, w] for the program passes. */
  describe({ slot }: Value, shape: readonly number[]): void {
    const call = this.#makers.get(slot);
    if (call) call.shape = shape;
  }

  /** The program as emitted, before any pass: nothing is freed yet. */
  draft(name: string): Program {
    return {
      name,
      inputs: this.#inputs,
      outputs: this.#outputs,
      slots: this.#slots,
      steps: this.#steps,
    };
  }

  /** The program ready to run, after the finishing passes only. */
  finish(name: string): Program {
    return finish(this.draft(name));
  }

  #next(): Value {
    return { slot: this.#slots++ };
  }
}

const isList = (operand: Operand): operand is readonly Value[] =>
  Array.isArray(operand) && typeof operand[0] === 'object';

const asArgument = (operand: Operand): Argument =>
  isList(operand) ? { slots: operand.map(({ slot }) => slot) } : operand;
