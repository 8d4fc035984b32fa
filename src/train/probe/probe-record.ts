/** A probe as a run records it, and in lines for the user. Pure. */
import { z } from 'zod';
import { strengths } from '../../probe/choose-strength.ts';
import type { Probe } from '../../probe/fit-probe.ts';

const share = z.number().min(0).max(1);

const part = z.strictObject({
  /** `classifier`, or the name of a part of the network. */
  features: z.string(),
  /** Values for an image. */
  length: z.number().int().positive(),
  /** On the validation's images, or cross-validated. */
  error: share,
  /** Cross-entropy in nats. */
  loss: z.number(),
  /** Of the L2 regularisation of the softmax regression on standardised features. */
  strength: z.number().positive(),
  /** Strengths that were tried. */
  tried: z.number().int().positive(),
  /** Whether the solution's gradient vanishes. */
  converged: z.boolean(),
  /** Error of the nearest neighbours by cosine. */
  neighbours: z.array(z.strictObject({ k: z.number().int().positive(), error: share })).readonly(),
});

export const probeSchema = z
  .strictObject({
    /** Whether the run's model is the best of these; otherwise they were measured before the training. */
    isModel: z.boolean(),
    /** Number of folds of the training images where there is no validation. */
    folds: z.exactOptional(z.number().int()),
    /** The parts that were tried, the best first. */
    parts: z.array(part).readonly(),
  })
  .readonly();

/** A probe in config.json. */
export type ProbeRecord = z.infer<typeof probeSchema>;

/** @param probes the best first. */
export function recordOf(
  probes: readonly [Probe, ...Probe[]],
  { isModel }: { isModel: boolean },
): ProbeRecord {
  const [{ folds }] = probes;
  return {
    isModel,
    ...(folds !== undefined && { folds }),
    parts: probes.map(({ part: { name, length }, error, loss, strength, tried, converged, neighbours }) => ({
      features: name,
      length,
      error,
      loss,
      strength,
      tried: tried.length,
      converged,
      neighbours,
    })),
  };
}

const percent = (value: number): string => `${(100 * value).toFixed(2)}%`;

/** The figures of a probe, one line for the neighbours and one for the regression; of several parts one line each. */
export function describeProbe({ parts, folds }: ProbeRecord): string[] {
  const [best, ...others] = parts;
  if (!best) return [];
  const of = folds === undefined ? 'validation error' : `error in ${folds}-fold cross-validation`;
  const nearest = best.neighbours.map(({ k, error }) => `${percent(error)} (k = ${k})`);
  return [
    ...(others.length === 0
      ? []
      : [
          `features of ${parts.length} parts, by the ${of} of a classifier on them: ${parts.map(({ features, error }) => `${features} ${percent(error)}`).join(', ')}`,
        ]),
    `nearest neighbours: ${of} ${nearest.join(', ')}, by the cosine of ${nameOf(best)}`,
    `probe: ${of} ${percent(best.error)}, loss ${best.loss.toFixed(3)}, of a classifier on ${nameOf(best)} (L2 strength ${+best.strength.toPrecision(3)}, the best of ${best.tried})`,
    ...([Math.min(...strengths), Math.max(...strengths)].includes(best.strength)
      ? [
          `probe: strength ${+best.strength.toPrecision(3)} is at the end of those tried; the best may lie beyond`,
        ]
      : []),
    ...(best.converged
      ? []
      : ['probe: the classifier is not solved to the end: its gradient has not vanished']),
  ];
}

const nameOf = ({ features, length }: ProbeRecord['parts'][number]): string =>
  `${length.toLocaleString('en-US')} features ${features === 'classifier' ? 'before the classifier' : `of ${features}`}`;
