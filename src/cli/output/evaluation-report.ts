/** The result of `inception evaluate` as text and as a row of timm's results files. */
import { appendFile, stat } from 'node:fs/promises';
import Papa from 'papaparse';
import type { Score } from '../../evaluate/score.ts';
import type { Preprocessing } from '../../images/preprocess.ts';
import { classScoresTable } from './class-scores-table.ts';
import { confusionTable } from './confusion-table.ts';
import { counted, grouped, percent } from './format.ts';

export interface EvaluationReport {
  /** Model, data, protocol and runtime, by name. */
  readonly description: Readonly<Record<string, string | number | readonly string[]>>;
  /** Undefined where the images have no labels. */
  readonly score: Score | undefined;
  /** The classes that competed. */
  readonly classes: readonly string[];
  /** Images that did not count, by reason. */
  readonly skipped: Readonly<Record<string, number>>;
  readonly predicted: number;
  readonly speed: { readonly crops: number; readonly cropsPerSecond: number };
  readonly confusion: boolean;
  /** Whether other labels than the data's decide on the errors. */
  readonly realLabels: boolean;
}

export function evaluationText({ description, ...report }: EvaluationReport): string {
  const { models, networks, images: _, ...rest } = description;
  const several = Array.isArray(models) && models.length > 1;
  const shown = {
    [several ? 'ensemble' : 'model']: models,
    [several ? 'networks' : 'network']: networks,
    ...rest,
  };
  const lines = Object.entries(shown).map(
    ([key, value]) => `${key.padEnd(9)} ${Array.isArray(value) ? value.join(', ') : value}`,
  );
  const reasons = Object.entries(report.skipped).filter(([, count]) => count > 0);
  if (reasons.length > 0)
    lines.push(`skipped   ${reasons.map(([reason, count]) => `${grouped(count)} ${reason}`).join(', ')}`);
  const { score, classes, confusion, predicted, realLabels } = report;
  const { crops, cropsPerSecond } = report.speed;
  const speed = `${counted(crops, 'crop')} at ${cropsPerSecond.toFixed(cropsPerSecond < 10 ? 1 : 0)} a second`;
  if (!score) {
    lines.push('', `${grouped(predicted)} images without labels predicted, ${speed}`);
    return `${lines.join('\n')}\n`;
  }
  if (confusion) lines.push('', confusionTable(score.confusion, classes));
  lines.push('', classScoresTable(score, classes));
  if (realLabels) lines.push("the classes' scores are by the data's labels; the errors are by --real-labels");
  const { count, loss, top1Error, top5Error, balancedAccuracy, macroF1 } = score;
  lines.push('', `loss ${loss.toFixed(4)} nats, ${grouped(count)} images, ${speed}`);
  lines.push(`balanced accuracy ${percent(balancedAccuracy)}, macro F1 ${percent(macroF1)}`);
  lines.push(
    `top-1 error ${percent(top1Error)}${hasTop5(classes) ? `, top-5 error ${percent(top5Error)}` : ''}`,
  );
  return `${lines.join('\n')}\n`;
}

/** With five classes or fewer, the label is always among the five most probable. */
export const hasTop5 = (classes: readonly string[]): boolean => classes.length > 5;

/** Appends a row with the columns of timm's results files; `parameters` is undefined if they are not known. */
export async function appendResultsRow(
  path: string,
  {
    score,
    models,
    classes,
    parameters,
    preprocessing,
  }: {
    score: Score;
    models: readonly string[];
    classes: readonly string[];
    parameters: number | undefined;
    preprocessing: Preprocessing;
  },
): Promise<void> {
  const percentOf = (fraction: number) => +(fraction * 100).toFixed(3);
  const five = hasTop5(classes);
  const row = {
    model: models.join(' + '),
    top1: percentOf(1 - score.top1Error),
    top1_err: percentOf(score.top1Error),
    top5: five ? percentOf(1 - score.top5Error) : '',
    top5_err: five ? percentOf(score.top5Error) : '',
    param_count: parameters === undefined ? '' : +(parameters / 1e6).toFixed(2),
    img_size: preprocessing.size[0],
    crop_pct: preprocessing.crop,
    interpolation: preprocessing.kernel.replace(/^(pillow|tf)-/, ''),
  };
  const isNew = (await stat(path).catch(() => undefined)) === undefined;
  await appendFile(path, `${Papa.unparse([row], { header: isNew, newline: '\n' })}\n`);
}
