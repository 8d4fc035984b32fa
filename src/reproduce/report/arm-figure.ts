/** A figure of a report: something of every run by arm, in the arms' panels. Pure. */

import type { RunRecord } from '../records.ts';
import type { ArmResult } from '../results.ts';
import type { Block } from './blocks.ts';
import { drawFigure, type PanelOf } from './figures.ts';

export type Points = readonly (readonly [x: number, y: number])[];

interface Drawn {
  readonly file: string;
  readonly title: string;
  readonly yName: string;
  readonly yRange?: readonly [number, number];
  readonly xName: string;
  readonly dots: boolean;
  readonly points: (record: RunRecord) => Points;
}

export function figureOf(arms: readonly ArmResult[], { file, points, ...axes }: Drawn): Block {
  const titles = [...new Set(arms.map(({ arm }) => arm.panel))];
  const panels = titles.map(
    (title): PanelOf => ({
      title,
      series: arms
        .filter(({ arm, runs }) => [arm.panel, ...(arm.alsoIn ?? [])].includes(title) && runs.length > 0)
        .map(({ arm, runs }) => ({
          name: arm.name,
          seeds: runs.map(({ record }) => (record ? points(record) : [])).filter(({ length }) => length > 0),
        })),
    }),
  );
  const caption = `${axes.title}: the mean over seeds; the band is their range.`;
  return { kind: 'figure', file, caption, svg: drawFigure(panels, axes) };
}
