/** A drawing on a page of its own, before it is written in some format. */
import type { Item, Look } from './diagram-layout.ts';

export interface Sheet {
  readonly title: string;
  readonly description: string;
  /** In pixels of 1/96 inch. */
  readonly width: number;
  readonly height: number;
  readonly items: readonly Item[];
}

/** A colour scheme; `fill` and `edge` are by look. */
export interface Scheme {
  readonly paper: string;
  readonly ink: string;
  readonly line: string;
  readonly note: string;
  readonly mark: string;
  readonly fill: Readonly<Record<Look, string>>;
  readonly edge: Readonly<Record<Look, string>>;
}

export const light: Scheme = {
  paper: '#ffffff',
  ink: '#1f2933',
  line: '#66788a',
  note: '#52606d',
  mark: '#c2410c',
  fill: {
    conv: '#dcebfa',
    pool: '#fde8d4',
    join: '#e4e7eb',
    act: '#dff3e4',
    stage: '#ece6f8',
    plain: '#ffffff',
  },
  edge: {
    conv: '#3b7dbd',
    pool: '#c9742b',
    join: '#7b8794',
    act: '#3f9142',
    stage: '#7d5fb2',
    plain: '#9aa5b1',
  },
};

export const dark: Scheme = {
  paper: '#14181d',
  ink: '#e6ebf0',
  line: '#9aa8b6',
  note: '#aab6c2',
  mark: '#c2410c',
  fill: {
    conv: '#17344f',
    pool: '#4a2d12',
    join: '#2b333b',
    act: '#17391d',
    stage: '#33264f',
    plain: '#1c2229',
  },
  edge: {
    conv: '#5b9bd8',
    pool: '#dd9150',
    join: '#8b98a5',
    act: '#63b267',
    stage: '#a98be0',
    plain: '#76838f',
  },
};

export const fontSizes = { title: 17, note: 13, inside: 13, mark: 11 } as const;

/** Baselines of the lines in a box, around its middle. */
export const baselines = ({ y, height, lines }: Extract<Item, { kind: 'box' }>): readonly number[] =>
  lines.map((_, index) => y + height / 2 - ((lines.length - 1) * 16) / 2 + 4.5 + index * 16);

export const markRadius = 8;
