/** Which slots lie in the same memory, and until when what they hold is read. */
import { type Call, type Program, reads, type Slot, slotsOf } from '../../program.ts';
import { factsOf, isInPlace } from './operators.ts';
import { slotAt } from './steps.ts';

/** A stretch of channels of the memory that a slot was made with. */
export interface Region {
  /** The slot that the memory was made for. */
  readonly root: Slot;
  readonly from: number;
  /** Infinity: to the end. */
  readonly to: number;
}

const channelAxis = 1;

const overlap = (one: Region, other: Region): boolean => one.from < other.to && other.from < one.to;

export class Memory {
  readonly #regions = new Map<Slot, Region>();
  /** Of each root all slots in its memory. */
  readonly #members = new Map<Slot, Slot[]>();
  readonly #lastRead = new Map<Slot, number>();
  /** Roots that a step of the program has made, and not the store or the caller. */
  readonly #owned = new Set<Slot>();

  constructor({ steps }: Program) {
    steps.forEach((step, index) => {
      // What leaves the program is held until its end.
      const until = step.do === 'call' ? index : Infinity;
      for (const slot of reads(step)) {
        this.#lastRead.set(slot, Math.max(this.#lastRead.get(slot) ?? 0, until));
      }
      if (step.do !== 'call') return;
      for (const [result, slot] of step.to.entries()) {
        if (slot === null) continue;
        const region = this.#viewed(step, result);
        if (region) this.#join(slot, region);
        else this.#owned.add(slot);
      }
    });
  }

  regionOf(slot: Slot): Region {
    return this.#regions.get(slot) ?? { root: slot, from: 0, to: Infinity };
  }

  isWhole(slot: Slot): boolean {
    return !this.#regions.has(slot);
  }

  /** Whether a step has made this memory, and what it holds there is read by no step after this one. */
  isDeadAfter(region: Region, index: number): boolean {
    if (!this.#owned.has(region.root)) return false;
    return [region.root, ...(this.#members.get(region.root) ?? [])].every(
      (slot) => (this.#lastRead.get(slot) ?? -1) <= index || !overlap(this.regionOf(slot), region),
    );
  }

  /** Says that a slot with memory of its own is now written to this region. */
  move(slot: Slot, region: Region): void {
    const moved = [slot, ...(this.#members.get(slot) ?? [])];
    this.#owned.delete(slot);
    this.#members.delete(slot);
    for (const each of moved) {
      const { from, to } = this.regionOf(each);
      this.#join(each, within(region, from, to));
    }
  }

  #join(slot: Slot, region: Region): void {
    this.#regions.set(slot, region);
    this.#members.set(region.root, [...(this.#members.get(region.root) ?? []), slot]);
  }

  /** The region that a result shares with an argument. */
  #viewed(call: Call, result: number): Region | undefined {
    const { views, out } = factsOf(call);
    const name = out?.[result];
    const told = name === undefined || name === null ? undefined : slotsOf(call.named?.[name] ?? null)[0];
    if (told !== undefined) return this.regionOf(told);
    if (result !== 0) return undefined;
    const argument = isInPlace(call) ? 0 : views;
    const slot = argument === undefined ? undefined : slotAt(call, argument);
    if (slot === undefined) return undefined;
    const [, axis, from, to, step] = call.args;
    if (call.operator !== 'aten::slice.Tensor' || axis !== channelAxis || step !== 1)
      return this.regionOf(slot);
    return within(this.regionOf(slot), Number(from), Number(to));
  }
}

const within = (region: Region, from: number, to: number): Region => ({
  root: region.root,
  from: region.from + from,
  to: Math.min(region.from + to, region.to),
});
