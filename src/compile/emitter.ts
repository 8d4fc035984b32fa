/** Writes the steps of a program: numbers the slots, loads each stored tensor once, frees at last use. */
import { freeSlots } from './free-slots.ts';
import type { Argument, Call, DType, Program, ProgramInput, Slot, Step } from './program.ts';

export class Emitter {
  /** Layer that the next steps belong to. */
  layer = '';
  readonly #steps: Step[] = [];
  readonly #inputs: ProgramInput[] = [];
  readonly #outputs: string[] = [];
  readonly #loaded = new Map<string, Slot>();
  #slots = 0;

  /** Emits an operator with one result. */
  call(operator: string, args: readonly Argument[], named?: Call['named']): Slot {
    return this.calls(operator, args, { results: 1, ...(named && { named }) })[0] as Slot;
  }

  /** Emits an operator with several results; `unused` are the indices of those that nobody reads. */
  calls(
    operator: string,
    args: readonly Argument[],
    { results, named, unused = [] }: { results: number; named?: Call['named']; unused?: readonly number[] },
  ): (Slot | null)[] {
    const to = Array.from({ length: results }, (_, index) => (unused.includes(index) ? null : this.#slots++));
    this.#steps.push({ do: 'call', operator, args, ...(named && { named }), to, layer: this.layer });
    return to;
  }

  /** Emits an operator for its effect on its first argument. */
  effect(operator: string, args: readonly Argument[], named?: Call['named']): void {
    this.calls(operator, args, { results: 1, unused: [0], ...(named && { named }) });
  }

  /** The store's tensor or view of this name. */
  load(name: string): Slot {
    let slot = this.#loaded.get(name);
    if (slot === undefined) {
      slot = this.#slots++;
      this.#loaded.set(name, slot);
      this.#steps.push({ do: 'load', name, to: slot });
    }
    return slot;
  }

  /** Leaves a value in the store under one of its `computed` names. */
  store(name: string, from: Slot): void {
    this.#steps.push({ do: 'store', name, from });
  }

  input(name: string, dtype: DType, shape: readonly number[]): Slot {
    const slot = this.#slots++;
    this.#inputs.push({ name, dtype, shape });
    this.#steps.push({ do: 'input', name, to: slot });
    return slot;
  }

  output(name: string, from: Slot): void {
    this.#outputs.push(name);
    this.#steps.push({ do: 'output', name, from });
  }

  finish(name: string): Program {
    return {
      name,
      inputs: this.#inputs,
      outputs: this.#outputs,
      slots: this.#slots,
      steps: freeSlots(this.#steps),
    };
  }
}

export const slot = (index: Slot): Argument => ({ slot: index });
