/** How much memory a program needs, from its steps alone: before anything is allocated, on any device. Pure. */
import { elementCount } from '../graph/graph.ts';
import type { Call, DType, Program, Slot, StoreSpec, TensorSpec } from './program.ts';
import { slotsOf } from './program.ts';
import { Memory } from './program-passes/facts/memory.ts';

const dtypeBytes: Readonly<Record<DType, number>> = { float32: 4, bfloat16: 2, int64: 8, uint8: 1, bool: 1 };

/** Results that are small beside the activations and are not counted, and those that are as large as an argument. */
const laterResults: Readonly<Record<string, (call: Call, result: number) => Slot | 'positions' | undefined>> =
  {
    'inception::max_pool': () => 'positions',
    'aten::max_pool2d_with_indices': () => 'positions',
    // The gradients of the weights and of the bias.
    'inception::convolution_backward': (call, result) => (result === 1 ? slotAt(call, 2) : undefined),
    'aten::convolution_backward': (call, result) => (result === 1 ? slotAt(call, 2) : undefined),
  };

const slotAt = ({ args }: Call, index: number): Slot | undefined => slotsOf(args[index] ?? null)[0];

export interface PlannedMemory {
  /** Of the tensors in the store. */
  readonly storeBytes: number;
  /** Of the results that live at the same time, at the step where they are most. */
  readonly peakBytes: number;
}

/**
 * What a program needs at least: its store, and the results that live at once. Space that operators take while they run is
 * not in it. `bytes` is the size of one activation.
 */
export function plannedMemory(
  program: Program,
  { store, bytes }: { readonly store: StoreSpec; readonly bytes: number },
): PlannedMemory {
  const { steps, inputs } = program;
  const bytesOf = ({ name, dtype, shape }: Pick<TensorSpec, 'name' | 'dtype' | 'shape'>) =>
    [name, dtypeBytes[dtype] * elementCount(shape)] as const;
  const stored = new Map(store.tensors.map(bytesOf));
  const dtypes = new Map(store.tensors.map(({ name, dtype }) => [name, dtype]));
  const viewed = new Map(
    store.views.map((view) => bytesOf({ ...view, dtype: dtypes.get(view.of) as DType })),
  );
  const inputBytes = new Map(inputs.map(bytesOf));
  const memory = new Memory(program);
  /** Bytes of every slot's values, whoever holds them. */
  const sizes = new Map<Slot, number>();
  /** Slots that are not freed, of each memory that this program allocated. */
  const owners = new Map<Slot, Set<Slot>>();
  let [live, peakBytes] = [0, 0];

  const sizeOf = (call: Call, result: number): number => {
    const size = (slot: Slot | undefined) => (slot === undefined ? 0 : (sizes.get(slot) ?? 0));
    if (result > 0) {
      const source = laterResults[call.operator]?.(call, result);
      return source === 'positions' ? elementCount(call.shape ?? []) : size(source);
    }
    if (call.shape) return elementCount(call.shape) * (call.shape.length === 4 ? bytes : 4);
    return size(call.args.flatMap((argument) => slotsOf(argument))[0]);
  };
  const begin = (slot: Slot, root: Slot) => {
    const held = owners.get(root);
    if (held) held.add(slot);
    else if (slot === root) {
      owners.set(root, new Set([slot]));
      live += sizes.get(slot) ?? 0;
    }
  };

  for (const step of steps) {
    if (step.do === 'load') sizes.set(step.to, viewed.get(step.name) ?? stored.get(step.name) ?? 0);
    if (step.do === 'input') {
      sizes.set(step.to, inputBytes.get(step.name) ?? 0);
      begin(step.to, step.to);
    }
    if (step.do === 'call')
      for (const [result, slot] of step.to.entries()) {
        if (slot === null) continue;
        sizes.set(slot, sizeOf(step, result));
        begin(slot, memory.regionOf(slot).root);
      }
    peakBytes = Math.max(peakBytes, live);
    if (step.do === 'free')
      for (const slot of step.slots) {
        const { root } = memory.regionOf(slot);
        const held = owners.get(root);
        if (!held?.delete(slot) || held.size > 0) continue;
        owners.delete(root);
        live -= sizes.get(root) ?? 0;
      }
  }
  return { storeBytes: [...stored.values()].reduce((sum, size) => sum + size, 0), peakBytes };
}
