/** The library call for probes. */
import type { ProbeOptions, ProbeResult } from './run-probe.ts';

/**
 * Trains nothing but a new classifier of a model: the features of every image are computed once and kept, and a softmax regression
 * with L2 regularisation on them is solved, its strength chosen on the validation images. The run that it writes is one like any other.
 *
 * ```ts
 * const { evaluation } = await probe({ weights: 'hub:timm/inception_v3.tv_in1k', data: 'photos', out: 'runs/probe' });
 * console.log(evaluation?.top1Error);
 * ```
 *
 * @throws as `train`; of the signal if it is aborted, which keeps the features that are computed.
 */
export async function probe(options: ProbeOptions): Promise<ProbeResult> {
  // Loads the compiler and libtorch on first use.
  const { runProbe } = await import('./run-probe.ts');
  return runProbe(options);
}
