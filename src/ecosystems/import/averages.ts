/** Moving averages of weights in TensorFlow's checkpoints: `NAME/ExponentialMovingAverage`, beside `NAME` or instead of it. */
import { UsageError } from '../../errors.ts';
import { type TensorFile, type TensorInfo, WeightsError } from '../../weights/tensor-file.ts';

const suffix = '/ExponentialMovingAverage';

/**
 * The file with one value for each weight: the average where there is one, as `.pth` files' are preferred, or with `averages`
 * false the weight itself.
 * @throws UsageError if `averages` is false and the file has none; WeightsError if it has nothing else.
 */
export function chooseAverages(
  file: TensorFile,
  { path, averages = true }: { path: string; averages?: boolean | undefined },
): TensorFile {
  const all = [...file.tensors.keys()];
  const averaged = all.filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length));
  if (averaged.length === 0) {
    if (averages) return file;
    throw new UsageError(
      `${path}: --no-averages has no effect, no tensor of the file is a moving average (NAME${suffix})`,
    );
  }
  const alone = averaged.filter((name) => !file.tensors.has(name));
  if (!averages && alone.length > 0)
    throw new WeightsError(
      `${path}: ${alone.length} of its weights are there as moving averages only, the first is ${alone[0]}; import it without --no-averages`,
    );
  // The file's name of each tensor.
  const sources = new Map(all.filter((name) => !name.endsWith(suffix)).map((name) => [name, name]));
  if (averages) for (const name of averaged) sources.set(name, name + suffix);
  const tensors = new Map(
    [...sources].map(([name, source]) => [name, { ...(file.tensors.get(source) as TensorInfo), name }]),
  );
  const beside = averaged.length - alone.length;
  const decision = averages
    ? `${averaged.length} weights are read from their moving averages${beside > 0 ? `, and ${beside} raw values beside them left out (--no-averages takes those)` : ', the file has nothing else'}`
    : `left out ${averaged.length} moving averages, as asked for`;
  return {
    ...file,
    tensors,
    decisions: [...(file.decisions ?? []), decision],
    async read(name) {
      const source = sources.get(name);
      return { ...(await file.read(source ?? name)), name };
    },
  };
}
