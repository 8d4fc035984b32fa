/** The fixtures as typed data; test/fixtures/README.md explains the numbers. */
import { readFileSync } from 'node:fs';
import type { DialectName } from '../../src/ecosystems/dialects.ts';
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

type Logits = readonly (readonly number[])[];

export interface TrainExpected {
  readonly labels: readonly number[];
  readonly logits_f64: Logits;
  readonly aux_logits_f64?: Logits;
  readonly losses: Readonly<Record<string, { readonly f64: number }>>;
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
  readonly batch_norm_running_stats_after_this_one_step?: {
    readonly tensors: readonly { readonly name: string; readonly first4_f64: readonly number[] }[];
  };
}

export interface Expected {
  readonly source: string;
  readonly generated_with: string;
  readonly input: { readonly shape: readonly number[] };
  readonly eval: {
    readonly logits_f64?: Logits;
    readonly aux_logits_f64?: Logits;
    readonly embedding_f64?: Logits;
    readonly stages?: readonly Stage[];
    readonly gradients_frozen_bn?: {
      readonly loss: string;
      readonly loss_f64: number;
      readonly all_params_l2_f64: number;
      readonly params: readonly GradientNorm[];
    };
  };
  readonly train?: TrainExpected;
  readonly train_batch4?: TrainExpected;
}

export interface Params {
  readonly trainable_params: number;
  readonly weights_sha256: string;
  readonly params: readonly GoldenTensor[];
}

const folder = new URL('../fixtures/', import.meta.url);

export const readFixture = <T>(path: string): T =>
  JSON.parse(readFileSync(new URL(path, folder), 'utf8')) as T;

/** The dialect and network of every directory of fixtures. */
export const goldenModels = {
  timm_inception_v3: ['timm', 'inception-v3'],
  timm_inception_v4: ['timm', 'inception-v4'],
  timm_inception_resnet_v2: ['timm', 'inception-resnet-v2-released'],
  torchvision_inception_v3: ['torchvision', 'inception-v3'],
  cadene_inceptionv4: ['cadene', 'inception-v4'],
  cadene_inceptionresnetv2: ['cadene', 'inception-resnet-v2-released'],
  facenet_inception_resnet_v1: ['facenet', 'inception-resnet-v1-facenet'],
  slim_inception_v3: ['tf-slim', 'inception-v3'],
  slim_inception_v4: ['tf-slim', 'inception-v4'],
  slim_inception_resnet_v2: ['tf-slim', 'inception-resnet-v2-released'],
  tf_facenet_inception_resnet_v1: ['tf-facenet', 'inception-resnet-v1-facenet'],
  keras_inception_v3: ['keras', 'inception-v3'],
  keras_inception_resnet_v2: ['keras', 'inception-resnet-v2-released'],
} as const satisfies Record<string, readonly [DialectName, string]>;

export type GoldenModel = keyof typeof goldenModels;

export const readParams = (model: GoldenModel): Params => readFixture(`${model}/params.json`);
export const readExpected = (model: GoldenModel): Expected => readFixture(`${model}/expected.json`);

/** The recommended tolerance, by its key in tolerances.json. */
export function tolerance(model: GoldenModel, what: string): number {
  const { models } = readFixture<{ models: Record<string, Record<string, { recommended: number }>> }>(
    'tolerances.json',
  );
  const tolerance = models[model]?.[what];
  if (!tolerance) throw new Error(`tolerances.json has no '${what}' for ${model}`);
  return tolerance.recommended;
}
