/** A drawing as SVG in which every box links to its contents. */
import { useId, useState } from 'react';
import { type Drawing, type Item, upsideDown } from '../../../src/diagram/diagram-layout.ts';
import { markRadius } from '../../../src/diagram/sheet.ts';
import type { Level } from './level.ts';

type Box = Extract<Item, { kind: 'box' }>;

/** How a comparison highlights a box: it differs in kind, or only in size, which follows from other boxes. */
export type Mark = 'differs' | 'follows';

/** `up`: the input at the bottom, as the paper draws. */
export type Direction = 'down' | 'up';

interface FigureProps {
  readonly level: Level;
  readonly direction: Direction;
  readonly addressOf: (path: string) => string;
  /** Paths highlighted by a comparison. */
  readonly marked?: ReadonlyMap<string, Mark>;
  /** Called with the path of a box when the pointer or the focus comes to it. */
  readonly onPoint?: ((path: string) => void) | undefined;
}

const margin = 14;
const scales = [0.5, 0.7, 0.85, 1, 1.2, 1.5, 2];

export function FigureView({ level, direction, addressOf, marked, onPoint }: FigureProps) {
  const [scale, setScale] = useState(1);
  const { title, path } = level;
  const drawing = direction === 'up' ? upsideDown(level.drawing) : level.drawing;
  const [top, bottom] = direction === 'up' ? ['output', 'input'] : ['input', 'output'];
  const width = drawing.width + 2 * margin;
  const height = drawing.height + 2 * margin;
  const arrow = useId();
  const zoom = (steps: number) => () => {
    const next = scales.indexOf(scale) + steps;
    setScale(scales[next] ?? scale);
  };
  return (
    <div className="figure">
      <div className="zoom">
        <button type="button" onClick={zoom(-1)} disabled={scale === scales[0]} aria-label="Zoom out">
          −
        </button>
        <button type="button" onClick={zoom(1)} disabled={scale === scales.at(-1)} aria-label="Zoom in">
          +
        </button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be focusable by keyboard */}
      <section className="scroller" tabIndex={0} aria-label={`Drawing of ${title}`}>
        <svg
          width={width * scale}
          height={height * scale}
          viewBox={`${-margin} ${-margin} ${width} ${height}`}
        >
          <title>{`${title}, ${top} at the top, ${bottom} at the bottom`}</title>
          <defs>
            <marker
              id={arrow}
              viewBox="0 0 8 8"
              refX="7"
              refY="4"
              markerWidth="7"
              markerHeight="7"
              orient="auto"
            >
              <path className="head" d="M0.5 0.5 L7.5 4 L0.5 7.5 Z" />
            </marker>
          </defs>
          {branchRegions(drawing, path).map(({ branch, x, y, right, bottom }) => (
            <a
              key={branch}
              href={addressOf(branch)}
              aria-label={`Open branch ${branchNumber(branch)}`}
              onFocus={() => onPoint?.(branch)}
            >
              <rect className="region" x={x} y={y} width={right - x} height={bottom - y} rx="8" />
              <text className="branch" x={x + 6} y={y + 13}>
                branch {branchNumber(branch)}
              </text>
            </a>
          ))}
          {drawing.items.map((item, index) => (
            <ItemView
              // biome-ignore lint/suspicious/noArrayIndexKey: a drawing is always replaced as a whole
              key={index}
              item={item}
              arrow={arrow}
              href={item.kind === 'box' && item.path && item.path !== path ? addressOf(item.path) : undefined}
              mark={item.kind === 'box' && item.path !== undefined ? marked?.get(item.path) : undefined}
              onPoint={onPoint}
            />
          ))}
        </svg>
      </section>
    </div>
  );
}

const branchNumber = (path: string): number => Number(/(\d+)$/.exec(path)?.[1]);

/** The rectangle around each branch with several boxes; a single box has nothing to open. */
function branchRegions({ items }: Drawing, path: string) {
  const regions = new Map<string, { x: number; y: number; right: number; bottom: number; count: number }>();
  for (const item of items) {
    if (item.kind !== 'box' || !item.path?.startsWith(`${path}/branch`)) continue;
    const branch = `${path}/${item.path.slice(path.length + 1).split('/')[0]}`;
    const previous = regions.get(branch);
    regions.set(branch, {
      x: Math.min(previous?.x ?? Number.POSITIVE_INFINITY, item.x - 6),
      y: Math.min(previous?.y ?? Number.POSITIVE_INFINITY, item.y - 20),
      right: Math.max(previous?.right ?? 0, item.x + item.width + 6),
      bottom: Math.max(previous?.bottom ?? 0, item.y + item.height + 6),
      count: (previous?.count ?? 0) + 1,
    });
  }
  return [...regions].flatMap(([branch, region]) => (region.count > 1 ? [{ branch, ...region }] : []));
}

interface ItemProps {
  readonly item: Item;
  readonly arrow: string;
  readonly href: string | undefined;
  readonly mark: Mark | undefined;
  readonly onPoint: FigureProps['onPoint'];
}

function ItemView({ item, arrow, href, mark, onPoint }: ItemProps) {
  switch (item.kind) {
    case 'box': {
      const drawn = <BoxView box={item} mark={mark} />;
      const { path } = item;
      const point = onPoint && path !== undefined ? () => onPoint(path) : undefined;
      return href === undefined ? (
        <g onPointerEnter={point}>{drawn}</g>
      ) : (
        <a href={href} aria-label={`Open ${item.lines.join(' ')}`} onPointerEnter={point} onFocus={point}>
          {drawn}
        </a>
      );
    }
    case 'mark':
      return (
        <g>
          <title>{item.why}</title>
          <circle className="print-mark" cx={item.x} cy={item.y} r={markRadius} />
          <text className="inside number" x={item.x} y={item.y + 4}>
            {item.text}
          </text>
        </g>
      );
    case 'circle':
      return (
        <>
          <circle className="plain" cx={item.x} cy={item.y} r={item.radius} />
          <text className="inside" x={item.x} y={item.y + 4.5}>
            {item.text}
          </text>
        </>
      );
    case 'path':
      return (
        <polyline
          className="line"
          points={item.points.map((point) => point.join()).join(' ')}
          markerEnd={item.arrow ? `url(#${arrow})` : undefined}
        />
      );
    case 'text':
      return (
        <text x={item.x} y={item.y}>
          {item.text}
        </text>
      );
  }
}

function BoxView({ box: { x, y, width, height, lines, look }, mark }: { box: Box; mark: Mark | undefined }) {
  const first = y + height / 2 - ((lines.length - 1) * 16) / 2 + 4.5;
  return (
    <>
      <rect
        className={`box ${look}${mark ? ` ${mark}` : ''}`}
        x={x}
        y={y}
        width={width}
        height={height}
        rx="5"
      />
      <text className="inside">
        {lines.flatMap((line, index) => [
          // Keeps lines apart for screen readers.
          ' ',
          <tspan
            // biome-ignore lint/suspicious/noArrayIndexKey: lines have no identity but their index
            key={index}
            className={index === 0 ? 'name' : undefined}
            x={x + width / 2}
            y={first + index * 16}
          >
            {line}
          </tspan>,
        ])}
      </text>
    </>
  );
}
