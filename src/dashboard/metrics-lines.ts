/** The lines of metrics.jsonl, checked before the page computes with them. */
import { z } from 'zod';
import { describeIssues } from '../parse-json.ts';
import { type Metrics, metricsKinds, upgradeMetrics } from '../train/run/records.ts';
import { RunFileError } from './run-file.ts';

/** A number that the page may leave out of a chart: JSON has no infinity and writes it as null. */
const optional = z.number().nullish();
const common = { step: z.number(), epoch: z.number(), elapsedSeconds: optional };
const remark = z.string().optional();
const errors = { top1Error: z.number(), top5Error: z.number(), balancedAccuracy: optional };

const metricsSchema = z.discriminatedUnion('kind', [
  z.object({
    ...common,
    kind: z.literal('train'),
    loss: optional,
    trainError: optional,
    learningRate: optional,
    gradientNorm: optional,
    imagesPerSecond: optional,
    waitShare: optional,
    remark,
  }),
  z.object({
    ...common,
    ...errors,
    kind: z.literal('evaluation'),
    validationLoss: optional,
    remark,
    blocks: z
      .array(z.object({ block: z.string(), residualRatio: z.number().nullable(), zeroShare: optional }))
      .optional(),
  }),
  z.object({ ...common, ...errors, kind: z.literal('test'), testLoss: optional }),
]);

/**
 * Parses complete lines, the first of which begins at byte `start`. Lines of other kinds, which a newer version may write, are left out.
 * @throws RunFileError naming the first line that is malformed.
 */
export function parseMetrics(text: string, { start }: { readonly start: number }): Metrics[] {
  const after = start === 0 ? '' : ` after byte ${start}`;
  return text
    .split('\n')
    .flatMap((line, index) => (line === '' ? [] : parseLine(line, `line ${index + 1}${after}`)));
}

function parseLine(text: string, place: string): Metrics[] {
  const refuse = (problem: string) => {
    throw new RunFileError(`metrics.jsonl: ${place}: ${problem}`);
  };
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    return refuse(`expected JSON, received '${text.slice(0, 40)}'`);
  }
  if (typeof line !== 'object' || line === null || Array.isArray(line))
    return refuse(`expected an object, received '${text.slice(0, 40)}'`);
  const { kind } = line as { kind?: unknown };
  if (typeof kind === 'string' && !metricsKinds.includes(kind)) return [];
  const upgraded = upgradeMetrics(line);
  const { error } = metricsSchema.safeParse(upgraded);
  if (error) return refuse(describeIssues(error.issues, { limit: 3 }));
  return [upgraded as Metrics];
}
