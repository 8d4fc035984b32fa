/** The fixtures as typed data; what each number is stands in test/fixtures/README.md. */
import { readFileSync } from 'node:fs';
import type { GoldenTensor } from './prng.ts';

export interface Stage {
  readonly name: string;
  readonly shape: readonly number[];
  readonly indices: readonly number[];
  readonly values: readonly number[];
  readonly max_abs_err_f32_vs_f64: number;
}

export interface GradientNorm {
  readonly name: string;
  readonly l2_f64: number;
}

export interface Expected {
  readonly eval: {
    readonly logits_f64: readonly (readonly number[])[];
    readonly stages: readonly Stage[];
    readonly gradients_frozen_bn: {
      readonly loss_f64: number;
      readonly all_params_l2_f64: number;
      readonly params: readonly GradientNorm[];
    };
  };
  readonly train: {
    readonly labels: readonly number[];
    readonly logits_f64: readonly (readonly number[])[];
    readonly losses: Readonly<
      Record<'ce_logits_smoothing_0' | 'ce_logits_smoothing_0.1', { readonly f64: number }>
    >;
    readonly gradients: readonly {
      readonly loss: string;
      readonly all_params_l2_f64: number;
      readonly params: readonly GradientNorm[];
    }[];
    readonly gradients_shallow: {
      readonly loss: string;
      readonly loss_f64: number;
      readonly params: readonly GradientNorm[];
    };
    readonly batch_norm_running_stats_after_this_one_step: {
      readonly tensors: readonly { readonly name: string; readonly first4_f64: readonly number[] }[];
    };
  };
}

export interface Params {
  readonly trainable_params: number;
  readonly weights_sha256: string;
  readonly params: readonly GoldenTensor[];
}

const folder = new URL('../fixtures/', import.meta.url);

export const readFixture = <T>(path: string): T =>
  JSON.parse(readFileSync(new URL(path, folder), 'utf8')) as T;

export type GoldenModel = 'cadene_inceptionv4' | 'cadene_inceptionresnetv2';

export const readParams = (model: GoldenModel): Params => readFixture(`${model}/params.json`);
export const readExpected = (model: GoldenModel): Expected => readFixture(`${model}/expected.json`);

/** The recommended tolerance of tolerances.json, by its own words. */
export function tolerance(model: GoldenModel, what: string): number {
  const { models } = readFixture<{ models: Record<string, Record<string, { recommended: number }>> }>(
    'tolerances.json',
  );
  const found = models[model]?.[what];
  if (!found) throw new Error(`tolerances.json has no '${what}' for ${model}`);
  return found.recommended;
}
