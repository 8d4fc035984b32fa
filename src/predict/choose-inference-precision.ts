/** The precision in which a model predicts: what it is, unless another one is asked for. */
import type { InferencePrecision } from '../compile/options.ts';
import type { EngineFacts } from '../engine/engine.ts';
import { choosePrecision } from '../engine/precision.ts';
import { UsageError } from '../errors.ts';
import type { ModelFile } from '../model/model-file.ts';

type Described = Pick<ModelFile, 'source'> & { readonly description: Pick<ModelFile['description'], 'int8'> };

/**
 * `auto` means int8 for an int8 model on the CPU, and otherwise the fastest precision of the hardware.
 * @throws UsageError for int8 of a model without ranges, or on another device
 */
export function chooseInferencePrecision(
  requested: 'auto' | InferencePrecision,
  model: Described,
  facts: Pick<EngineFacts, 'fastBfloat16' | 'device'>,
): InferencePrecision {
  if (requested === 'auto' && model.description.int8 && facts.device === 'cpu') return 'int8';
  if (requested !== 'int8') return choosePrecision(requested, facts);
  if (facts.device !== 'cpu')
    throw new UsageError(`precision: int8 runs on the CPU; received 'int8' on ${facts.device}`);
  requireRanges(model);
  return 'int8';
}

/** @throws UsageError for a model that is not an int8 model */
export function requireRanges({ source, description }: Described): void {
  if (description.int8) return;
  throw new UsageError(
    `precision: int8 needs a quantised model, ${source} is none; 'inception quantise ${source} --data FOLDER' writes one`,
  );
}
