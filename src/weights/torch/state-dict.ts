/** Finds the weights in a PyTorch checkpoint. */
import { firstOf, quoted } from '../../printable.ts';
import { WeightsError } from '../tensor-file.ts';
import { OtherTensor, TorchTensor } from './objects.ts';
import { Placeholder, Tuple } from './pickle.ts';
import type { Storages } from './tensor.ts';

/** What a file's pickle holds. */
export interface OpenPickle {
  readonly value: unknown;
  readonly storages: Storages;
  /** Names of classes and functions whose objects are placeholders. */
  readonly skipped: ReadonlySet<string>;
}

/**
 * Keys that are taken before all others, in this order. As in timm's `load_state_dict`, averaged weights take precedence;
 * `ema` and `model_state_dict` are other projects' names.
 */
const preferredKeys = ['state_dict_ema', 'model_ema', 'ema', 'state_dict', 'model', 'model_state_dict'];
const averagedKey = /(^|[._])(ema|swa|averaged?|avg)([._]|$)/i;

/** How deep dicts are searched for tensors, and modules for modules. */
const maxDictDepth = 3;
const maxModuleDepth = 32;
/** A hostile pickle can refer to one module along many paths. */
const maxTensors = 100_000;

export interface StateDict {
  readonly tensors: ReadonlyMap<string, TorchTensor>;
  /** Strings stored next to them, such as timm's `arch`. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly decisions: readonly string[];
}

type Entries = ReadonlyMap<unknown, unknown>;

/** A dict or module that has tensors, by its path of keys; the checkpoint itself has none. */
interface Candidate {
  readonly path: string;
  readonly entries: Entries;
  readonly count: number;
}

const isTensor = (value: unknown) => value instanceof TorchTensor || value instanceof OtherTensor;

/** @throws WeightsError that does not name the file. */
export function findStateDict(value: unknown, skipped: ReadonlySet<string> = new Set()): StateDict {
  const candidates = candidatesIn(value);
  if (candidates.length === 0) throw new WeightsError(whatInstead(value));
  const { chosen, others } = choose(candidates);
  const { tensors, others: left } = tensorsIn(chosen.entries);
  const metadata = new Map<string, string>();
  if (value instanceof Map)
    for (const [key, text] of value)
      if (typeof key === 'string' && typeof text === 'string') metadata.set(key, text);
  const path = quoted(chosen.path);
  const alternatives = others.map((other) => (other.path === '' ? 'the top level' : quoted(other.path)));
  return {
    tensors,
    metadata,
    decisions: [
      ...(chosen.path === ''
        ? []
        : [
            `weights under the key ${path}${alternatives.length > 0 ? `, not ${alternatives.join(', ')}` : ''}`,
          ]),
      ...(left > 0 ? [`${left} entries beside the weights are no tensors and were left out`] : []),
      ...(skipped.size > 0 ? [`skipped unread, nothing of it was run: ${firstOf([...skipped])}`] : []),
    ],
  };
}

function candidatesIn(value: unknown): Candidate[] {
  const found: Candidate[] = [];
  const seen = new Set<unknown>();
  const visit = (item: unknown, path: string, depth: number): void => {
    const entries = entriesOf(item);
    if (!entries || seen.has(item)) return;
    seen.add(item);
    const count = [...entries.values()].filter(isTensor).length;
    if (count > 0) found.push({ path, entries, count });
    if (depth === maxDictDepth || item instanceof Placeholder) return;
    for (const [key, inner] of entries)
      if (typeof key === 'string') visit(inner, path === '' ? key : `${path}.${key}`, depth + 1);
  };
  visit(value, '', 0);
  return found;
}

function entriesOf(item: unknown): Entries | undefined {
  if (item instanceof Map) return item;
  return item instanceof Placeholder && moduleParts(item) ? moduleEntries(item) : undefined;
}

function choose(candidates: readonly Candidate[]): { chosen: Candidate; others: readonly Candidate[] } {
  const most = Math.max(...candidates.map(({ count }) => count));
  // A few tensors beside a network (a loss's weights, a metric) are no alternative.
  const serious = candidates.filter(({ count }) => count * 2 >= most);
  const preferred =
    preferredKeys.flatMap((key) => serious.filter(({ path }) => path === key))[0] ??
    serious.find(({ path }) => averagedKey.test(path)) ??
    serious[0];
  const chosen = preferred as Candidate;
  const others = serious.filter((candidate) => candidate !== chosen);
  const isPreferred = preferredKeys.includes(chosen.path) || averagedKey.test(chosen.path);
  if (others.length > 0 && !isPreferred)
    throw new WeightsError(
      `it has several sets of tensors, under ${serious.map(({ path, count }) => `${path === '' ? 'the top level' : quoted(path)} (${count})`).join(', ')}; save the one that is meant: torch.save(checkpoint['…'], path)`,
    );
  return { chosen, others };
}

function tensorsIn(entries: Entries): { tensors: Map<string, TorchTensor>; others: number } {
  const tensors = new Map<string, TorchTensor>();
  let others = 0;
  for (const [name, tensor] of entries) {
    if (!isTensor(tensor)) {
      others++;
      continue;
    }
    if (typeof name !== 'string') throw new WeightsError('a tensor has a name that is not a string');
    if (tensor instanceof OtherTensor)
      throw new WeightsError(`tensor '${name}' is ${tensor.kind}; convert it to a plain dense tensor first`);
    tensors.set(name, tensor as TorchTensor);
  }
  return { tensors, others };
}

/** The dicts that hold a pickled module's own tensors and its modules. */
function moduleParts({ attributes }: Placeholder): Entries | undefined {
  const state = attributes instanceof Tuple ? attributes.items[0] : attributes;
  return state instanceof Map && state.get('_modules') instanceof Map ? state : undefined;
}

/** The tensors of a pickled module under the names of its state_dict. */
function moduleEntries(module: Placeholder): Entries {
  const entries = new Map<string, unknown>();
  let visits = 0;
  const visit = (item: unknown, prefix: string, depth: number): void => {
    const parts = item instanceof Placeholder ? moduleParts(item) : undefined;
    if (!parts) return;
    visits++;
    if (depth > maxModuleDepth || visits > maxTensors || entries.size > maxTensors)
      throw new WeightsError('it is a module whose modules are nested without end');
    for (const kind of ['_parameters', '_buffers'])
      for (const [name, tensor] of itemsOf(parts.get(kind)))
        if (isTensor(tensor)) entries.set(`${prefix}${name}`, tensor);
    for (const [name, inner] of itemsOf(parts.get('_modules'))) visit(inner, `${prefix}${name}.`, depth + 1);
  };
  visit(module, '', 0);
  return entries;
}

const itemsOf = (dict: unknown): Entries => (dict instanceof Map ? dict : new Map());

function whatInstead(value: unknown): string {
  const advice = 'save it with torch.save(model.state_dict(), path)';
  if (isTensor(value)) return `expected a state_dict, the file contains a single tensor; ${advice}`;
  if (value instanceof Placeholder)
    return `expected a state_dict, the file contains an object of ${quoted(value.className)}; ${advice}`;
  if (!(value instanceof Map)) return `expected a state_dict, the file contains no dict; ${advice}`;
  const keys = [...value.keys()].filter((key) => typeof key === 'string').slice(0, 5);
  const shown = keys.map((key) => JSON.stringify(key.slice(0, 80))).join(', ') || 'none';
  const isNumpy = [...value.values()].some(
    (item) => item instanceof Placeholder && item.className.startsWith('numpy.'),
  );
  if (isNumpy)
    return `its values are NumPy arrays, not tensors; save it with torch.save({k: torch.from_numpy(v) for k, v in weights.items()}, path) (its keys are ${shown})`;
  return `it contains no tensors; its keys are ${shown}`;
}
