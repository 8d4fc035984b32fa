/** Finds the weights in a PyTorch checkpoint. */
import { WeightsError } from '../tensor-file.ts';
import { OtherTensor, TorchTensor } from './objects.ts';

/**
 * Keys under which a checkpoint may keep its state_dict. The first that contains tensors is used, otherwise the checkpoint itself. As
 * in timm's `load_state_dict`, averaged weights take precedence; `ema` and `model_state_dict` are other projects' names.
 */
const stateDictKeys = ['state_dict_ema', 'model_ema', 'ema', 'state_dict', 'model', 'model_state_dict'];

/** Prefixes added by DistributedDataParallel and torch.compile. */
const wrappers = /^(module\.|_orig_mod\.)+/;

export interface StateDict {
  readonly tensors: ReadonlyMap<string, TorchTensor>;
  /** Strings stored next to them, such as timm's `arch`. */
  readonly metadata: ReadonlyMap<string, string>;
}

const isTensor = (value: unknown) => value instanceof TorchTensor || value instanceof OtherTensor;
const hasTensors = (value: unknown): value is Map<unknown, unknown> =>
  value instanceof Map && [...value.values()].some(isTensor);

/** @throws WeightsError that does not name the file. */
export function findStateDict(value: unknown): StateDict {
  if (!(value instanceof Map)) {
    throw new WeightsError(
      `expected a state_dict, the file contains ${isTensor(value) ? 'a single tensor' : 'no dict'}; save it with torch.save(model.state_dict(), path)`,
    );
  }
  const stateDictKey = stateDictKeys.find((key) => hasTensors(value.get(key)));
  const stateDict: unknown = stateDictKey === undefined ? value : value.get(stateDictKey);
  if (!hasTensors(stateDict)) {
    const keys = [...value.keys()].filter((key) => typeof key === 'string').slice(0, 5);
    throw new WeightsError(
      `it contains no tensors, neither at the top level nor under ${stateDictKeys.join(', ')}; its keys are ${keys.map((key) => JSON.stringify(key.slice(0, 80))).join(', ') || 'none'}`,
    );
  }
  const tensors = new Map<string, TorchTensor>();
  for (const [key, tensor] of stateDict) {
    if (!isTensor(tensor)) continue;
    if (typeof key !== 'string') throw new WeightsError('a tensor has a name that is not a string');
    const name = key.replace(wrappers, '');
    if (tensor instanceof OtherTensor) {
      throw new WeightsError(`tensor '${name}' is ${tensor.kind}; convert it to a plain dense tensor first`);
    }
    if (tensors.has(name)) throw new WeightsError(`there are two tensors '${name}'`);
    tensors.set(name, tensor as TorchTensor);
  }
  const metadata = new Map<string, string>();
  for (const [key, text] of value) {
    if (typeof key === 'string' && typeof text === 'string') metadata.set(key, text);
  }
  return { tensors, metadata };
}
