/**
 * Writes the inputs of a concatenation straight into their channels of its result, which saves the copy. The gradients of a
 * merged convolution's slices are joined in the same way, in the convolution's own result where they already overwrite its
 * slices. An input with other readers does not move: they need it contiguous.
 */
import type { Call, Program, Slot, Step } from '../program.ts';
import { Memory, type Region } from './facts/memory.ts';
import { factsOf } from './facts/operators.ts';
import { makersOf, type Placed, readersOf, replaceReads, withNamed } from './facts/steps.ts';

const empty = 'aten::empty.memory_format';

/** An input of a concatenation and its channels there. */
interface Part {
  readonly slot: Slot;
  readonly from: number;
  readonly to: number;
}

/** @param dtype type of the concatenated values. */
export function placeInConcat(program: Program, { dtype }: { dtype: 'float32' | 'bfloat16' }): Program {
  const makers = new Map<Slot, Placed>(makersOf(program));
  const readers = readersOf(program);
  const memory = new Memory(program);
  const changed = new Map<number, Call>();
  /** Steps to insert right before the step at this index. */
  const before = new Map<number, Call[]>();
  const replaced = new Map<Slot, Slot>();
  /** Buffers allocated by this pass, by the slot of their concatenation. */
  const buffers = new Map<Slot, Placed>();
  const dropped = new Set<number>();
  let next = program.slots;

  program.steps.forEach((step, index) => {
    if (step.do === 'call' && step.operator === 'aten::cat' && step.args[1] === 1) place(step, index);
  });
  const steps = program.steps.flatMap((step, index): readonly Step[] => {
    const current = dropped.has(index) ? [] : [changed.get(index) ?? step];
    return [...(before.get(index) ?? []), ...current].map((call) => replaceReads(call, replaced));
  });
  return { ...program, steps, slots: next };

  function place(concat: Call, index: number): void {
    const parts = partsOf(concat);
    const [result] = concat.to;
    if (!parts || typeof result !== 'number') return;
    const movable = parts.filter(canMove);
    const base = parts.map((part) => baseOf(part)).find((slot) => slot !== undefined);
    const isBase = base !== undefined && canHold(base, { parts, shape: concat.shape ?? [], index });
    if (!isBase && movable.length === 0) return;
    const inPlace = isBase ? parts.filter((part) => baseOf(part) === base) : [];
    const moving = movable.filter((part) => !inPlace.includes(part));
    const buffer = isBase ? base : makeBuffer(concat, moving);
    if (isBase) memory.move(result, memory.regionOf(base));
    else buffers.set(result, makers.get(buffer) as Placed);
    for (const part of moving) move(part, buffer);
    for (const part of parts)
      if (!inPlace.includes(part) && !moving.includes(part)) copy(part, { buffer, index });
    replaced.set(result, buffer);
    dropped.add(index);
  }

  function partsOf(concat: Call): readonly Part[] | undefined {
    const [list] = concat.args;
    const slots = typeof list === 'object' && list !== null && 'slots' in list ? list.slots : [];
    let from = 0;
    const parts = slots.map((slot) => {
      const channels = makers.get(slot)?.call.shape?.[1] ?? Number.NaN;
      from += channels;
      return { slot, from: from - channels, to: from };
    });
    return Number.isNaN(from) || concat.shape === undefined ? undefined : parts;
  }

  /** Whether its operator can write it elsewhere and only the concatenation reads it. */
  function canMove({ slot }: Part): boolean {
    if (readers.get(slot)?.length !== 1) return false;
    if (buffers.has(slot)) return true;
    const maker = makers.get(slot) as Placed;
    const name = factsOf(maker.call).out?.[maker.call.to.indexOf(slot)];
    if (!name || !factsOf(maker.call).writesParts) return false;
    return (changed.get(maker.index) ?? maker.call).named?.[name] === undefined;
  }

  /** The slot in whose memory a part already has the channels that it takes in the concatenation. */
  function baseOf({ slot, from, to }: Part): Slot | undefined {
    const region = memory.regionOf(slot);
    return !memory.isWhole(slot) && region.from === from && region.to === to ? region.root : undefined;
  }

  /** Whether a tensor has the concatenation's shape and each part of it is dead by the time it is overwritten. */
  function canHold(
    base: Slot,
    { parts, shape, index }: { parts: readonly Part[]; shape: readonly number[]; index: number },
  ): boolean {
    if (makers.get(base)?.call.shape?.join() !== shape.join()) return false;
    return parts.every((part) => {
      const region: Region = { root: base, from: part.from, to: part.to };
      const written = canMove(part) ? (makers.get(part.slot) as Placed).index : index;
      return baseOf(part) === base || memory.isDeadAfter(region, written);
    });
  }

  function makeBuffer({ shape = [] }: Call, moving: readonly Part[]): Slot {
    const slot = next++;
    const first = Math.min(...moving.map((part) => makerOf(part).index));
    const { layer } = program.steps[first] as Call;
    const call: Call = {
      ...{ do: 'call', operator: empty, args: [shape], to: [slot], layer, shape },
      named: {
        dtype: { dtype },
        device: { device: 'store' },
        memory_format: { memoryFormat: 'channelsLast' },
      },
    };
    insert(call, first, { first: true });
    makers.set(slot, { call, index: first });
    return slot;
  }

  /** The call that allocates a part's memory: for a concatenation that is placed already, its buffer. */
  function makerOf({ slot }: Part): Placed {
    return buffers.get(slot) ?? (makers.get(slot) as Placed);
  }

  function move(part: Part, buffer: Slot): void {
    const maker = makerOf(part);
    if (buffers.has(part.slot)) {
      // The inner buffer becomes a part of the outer one.
      const [inner] = maker.call.to;
      const calls = before.get(maker.index) as Call[];
      const position = calls.findIndex(({ to }) => to[0] === inner);
      calls[position] = sliceOf(buffer, part, { slot: inner as Slot, layer: maker.call.layer });
      return;
    }
    const call = changed.get(maker.index) ?? maker.call;
    const target = next++;
    insert(sliceOf(buffer, part, { slot: target, layer: call.layer }), maker.index);
    const result = call.to.indexOf(part.slot);
    changed.set(maker.index, withNamed(call, factsOf(call).out?.[result] as string, target));
    memory.move(part.slot, { root: buffer, from: part.from, to: part.to });
  }

  function copy(part: Part, { buffer, index }: { buffer: Slot; index: number }): void {
    const { layer } = program.steps[index] as Call;
    const target = next++;
    insert(sliceOf(buffer, part, { slot: target, layer }), index);
    const args = [{ slot: target }, { slot: part.slot }];
    insert({ do: 'call', operator: 'aten::copy_', args, to: [null], layer }, index);
  }

  function insert(call: Call, index: number, { first = false } = {}): void {
    const known = before.get(index) ?? [];
    before.set(index, first ? [call, ...known] : [...known, call]);
  }
}

const sliceOf = (buffer: Slot, { from, to }: Part, { slot, layer }: { slot: Slot; layer: string }): Call => ({
  ...{ do: 'call', operator: 'aten::slice.Tensor', args: [{ slot: buffer }, 1, from, to, 1] },
  ...{ to: [slot], layer },
});
