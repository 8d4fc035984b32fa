/** Which slots share memory, and the last step that reads each of them. */
import { type Call, type Program, reads, type Slot, slotsOf } from '../../program.ts';
import { factsOf, isInPlace } from './operators.ts';
import { slotAt } from './steps.ts';

/** A range of channels in the memory that a slot was allocated with. */
export interface Region {
  /** The slot that the memory was allocated for. */
  readonly root: Slot;
  readonly from: number;
  /** Infinity: to the end. */
  readonly to: number;
}

const channelAxis = 1;

const overlap = (a: Region, b: Region): boolean => a.from < b.to && b.from < a.to;

export class Memory {
  readonly #regions = new Map<Slot, Region>();
  /** All slots in each root's memory. */
  readonly #members = new Map<Slot, Slot[]>();
  readonly #lastRead = new Map<Slot, number>();
  /** Roots that a step of the program allocated, as opposed to the store or the caller. */
  readonly #owned = new Set<Slot>();

  constructor({ steps }: Program) {
    steps.forEach((step, index) => {
      // Outputs and stored values live until the end of the program.
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

  /** Whether the program allocated this memory and no step after this one reads the region. */
  isDeadAfter(region: Region, index: number): boolean {
    if (!this.#owned.has(region.root)) return false;
    return [region.root, ...(this.#members.get(region.root) ?? [])].every(
      (slot) => (this.#lastRead.get(slot) ?? -1) <= index || !overlap(this.regionOf(slot), region),
    );
  }

  /** Records that a slot that had its own memory is now written to this region. */
  move(slot: Slot, region: Region): void {
    const moved = [slot, ...(this.#members.get(slot) ?? [])];
    this.#owned.delete(slot);
    this.#members.delete(slot);
    for (const member of moved) {
      const { from, to } = this.regionOf(member);
      this.#join(member, within(region, from, to));
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
    const target = name === undefined || name === null ? undefined : slotsOf(call.named?.[name] ?? null)[0];
    if (target !== undefined) return this.regionOf(target);
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
