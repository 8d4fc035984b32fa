/** The check of a data set as text: a table of counts, then a line for each finding. */
import Table from 'cli-table3';
import type { CheckedImage, DataCheck, DuplicateGroup } from '../../check/data-check.ts';
import { describeLabels, nameIn } from '../../check/words.ts';
import { describeLeftOut } from '../../data/data-report.ts';
import { counted, grouped, percent } from './format.ts';

/** More do not fit a terminal. */
const maxClasses = 30;
const maxExamples = 3;

export function dataCheckText(check: DataCheck): string {
  return [countsTable(check), '', ...findings(check)].join('\n');
}

function countsTable({ splits, classes, images }: DataCheck): string {
  const names = splits.map(({ name }) => name);
  const several = names.length > 1;
  const table = new Table({
    head: ['class', ...names, ...(several ? ['all'] : [])],
    colAligns: ['left', ...names.map(() => 'right' as const), 'right'],
    style: { head: [], border: [], compact: true },
  });
  const sorted = [...classes].sort((a, b) => a.images - b.images);
  const half = maxClasses / 2;
  const shown = classes.length <= maxClasses ? classes : [...sorted.slice(0, half), ...sorted.slice(-half)];
  for (const each of shown)
    table.push([
      each.name,
      ...names.map((name) => grouped(each.perSplit[name] ?? 0)),
      ...(several ? [grouped(each.images)] : []),
    ]);
  table.push(['all', ...splits.map((split) => grouped(split.images)), ...(several ? [grouped(images)] : [])]);
  const hidden = classes.length - shown.length;
  return hidden === 0
    ? table.toString()
    : `${table.toString()}\nthe ${half} smallest and the ${half} largest of ${grouped(classes.length)} classes; --json has all`;
}

/** One line for each kind of finding, and one that says so where nothing was found. */
export function findings(check: DataCheck): string[] {
  const { source, width, height, smaller, undecodable, imbalance, missing, identical, near } = check;
  const name = (image: CheckedImage) => nameIn(source, image.file);
  const examples = (images: readonly CheckedImage[]) =>
    `${images.slice(0, maxExamples).map(name).join(', ')}${images.length > maxExamples ? ', …' : ''}`;
  const sizes = `sizes: ${width.min} to ${width.max} pixels wide (median ${width.median}), ${height.min} to ${height.max} high (median ${height.median})`;
  const lines = [
    undecodable.length > 0 &&
      `${counted(undecodable.length, 'image')} cannot be decoded (${examples(undecodable)})`,
    smaller.images.length > 0 &&
      `${counted(smaller.images.length, 'image')} ${smaller.images.length === 1 ? 'is' : 'are'} smaller than the input of ${smaller.than.join('×')} and will be enlarged (${examples(smaller.images)})`,
    missing.length > 0 &&
      `${missing.length === 1 ? '1 class is' : `${grouped(missing.length)} classes are`} not in every split: ${missing
        .slice(0, maxExamples)
        .map((each) => `${each.class} is not in ${each.splits.join(' and ')}`)
        .join(', ')}${missing.length > maxExamples ? ', …' : ''}`,
    imbalance >= 3 &&
      `the largest class has ${imbalance.toFixed(1)} times as many images as the smallest (in training, --class-weights balanced or --sampling balanced lets rare classes count as much)`,
    ...groupLines('identical', identical, examples),
    ...groupLines('nearly identical', near, examples),
  ].filter((line) => typeof line === 'string');
  return [
    ...check.leftOut.map(({ folder, items }) => describeLeftOut(folder, items) ?? ''),
    ...check.decisions,
    sizes,
    ...labelLines(check, name),
    ...(lines.length === 0 ? ['nothing found: no duplicates, nothing undecodable, no class missing'] : lines),
  ];
}

/** The surest disagreements, one line each. */
const maxLabels = 10;

function labelLines({ labels }: DataCheck, name: (image: CheckedImage) => string): string[] {
  if (!labels) return [];
  const { images, crossValidated } = labels;
  return [
    `labels: ${describeLabels(labels)}`,
    ...images
      .slice(0, maxLabels)
      .map(
        (image) =>
          `  ${name(image)}: ${image.class}, judged to be ${image.predicted} ${percent(image.probability)}${image.trainedOn && !crossValidated ? ', trained on' : ''}`,
      ),
    ...(images.length > maxLabels
      ? [`  and ${grouped(images.length - maxLabels)} more; --json has all`]
      : []),
  ];
}

function groupLines(
  what: string,
  groups: readonly DuplicateGroup[],
  examples: (images: readonly CheckedImage[]) => string,
): string[] {
  const [worst] = groups;
  if (!worst) return [];
  const images = groups.reduce((sum, group) => sum + group.images.length, 0);
  const across = [
    [groups.filter((group) => group.acrossSplits).length, 'in more than one split'] as const,
    [groups.filter((group) => group.acrossClasses).length, 'in more than one class'] as const,
  ].flatMap(([count, where]) => (count > 0 ? [`${grouped(count)} of them ${where}`] : []));
  return [
    `${grouped(images)} images are ${what}, in ${counted(groups.length, 'group')}${across.length > 0 ? `, ${across.join(', ')}` : ''} (${examples(worst.images)})`,
  ];
}
