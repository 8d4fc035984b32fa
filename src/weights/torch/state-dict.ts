/** Finds the weights in what a PyTorch checkpoint holds. */
import { WeightsError } from '../tensor-file.ts';
import { OtherTensor, TorchTensor } from './objects.ts';

/**
 * Where a checkpoint keeps its state_dict. The first that holds tensors is taken, else the checkpoint itself. As timm's
 * `load_state_dict` does it, averaged weights go before the last ones; `ema` and `model_state_dict` are others' names.
 */
const places = ['state_dict_ema', 'model_ema', 'ema', 'state_dict', 'model', 'model_state_dict'];

/** What DistributedDataParallel and torch.compile put before every name. */
const wrappers = /^(module\.|_orig_mod\.)+/;

export interface StateDict {
  readonly tensors: ReadonlyMap<string, TorchTensor>;
  /** The texts beside them, as timm's `arch`. */
  readonly metadata: ReadonlyMap<string, string>;
}

const isTensor = (value: unknown) => value instanceof TorchTensor || value instanceof OtherTensor;
const hasTensors = (value: unknown): value is Map<unknown, unknown> =>
  value instanceof Map && [...value.values()].some(isTensor);

/** @throws WeightsError that does not name the file. */
export function findStateDict(value: unknown): StateDict {
  if (!(value instanceof Map)) {
    throw new WeightsError(
      `expected a state_dict, the file holds ${isTensor(value) ? 'a single tensor' : 'no dict'}; save by torch.save(model.state_dict(), path)`,
    );
  }
  const place = places.find((key) => hasTensors(value.get(key)));
  const found: unknown = place === undefined ? value : value.get(place);
  if (!hasTensors(found)) {
    const keys = [...value.keys()].filter((key) => typeof key === 'string').slice(0, 5);
    throw new WeightsError(
      `there are no tensors in it, neither at the top nor in ${places.join(', ')}; its keys are ${keys.map((key) => JSON.stringify(key.slice(0, 80))).join(', ') || 'none'}`,
    );
  }
  const tensors = new Map<string, TorchTensor>();
  for (const [key, tensor] of found) {
    if (!isTensor(tensor)) continue;
    if (typeof key !== 'string') throw new WeightsError('a tensor has a name that is no text');
    const name = key.replace(wrappers, '');
    if (tensor instanceof OtherTensor) {
      throw new WeightsError(`tensor '${name}' is ${tensor.kind}; make it dense and of plain numbers first`);
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
