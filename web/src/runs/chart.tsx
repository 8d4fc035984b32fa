/** A chart drawn by ECharts as SVG: sharp at any size, with selectable text. */
import { CustomChart, LineChart } from 'echarts/charts';
import { GridComponent, TooltipComponent } from 'echarts/components';
import { type EChartsType, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { useEffect, useMemo, useRef, useState } from 'react';
import { pngOf, saveFile } from '../save-file.ts';
import { useTheme } from '../theme.ts';
import type { ChartSpec } from './chart-specs.ts';
import {
  axes,
  type ChartView,
  chartOption,
  colourOf,
  csvOf,
  lookOf,
  outsideOf,
  type Point,
  type RunCurves,
  type Series,
  seriesOf,
} from './curves.ts';

use([LineChart, CustomChart, GridComponent, TooltipComponent, SVGRenderer]);

interface ChartProps {
  readonly spec: ChartSpec;
  readonly runs: readonly RunCurves[];
  readonly view: ChartView;
}

export function Chart({ spec, runs, view }: ChartProps) {
  const container = useRef<HTMLDivElement>(null);
  const chart = useRef<EChartsType>(undefined);
  const [picked, setPicked] = useState<number>();
  const theme = useTheme();
  const series = useMemo(() => seriesOf(spec, { runs, view }), [spec, runs, view]);
  useEffect(() => {
    const element = container.current as HTMLDivElement;
    const created = init(element, null, { renderer: 'svg' });
    chart.current = created;
    created.getZr().on('click', ({ offsetX, offsetY }) => {
      const [x] = created.convertFromPixel('grid', [offsetX, offsetY]) as [number];
      if (created.containPixel('grid', [offsetX, offsetY])) setPicked(x);
    });
    const observer = new ResizeObserver(() => created.resize());
    observer.observe(element);
    return () => {
      observer.disconnect();
      created.dispose();
    };
  }, []);
  useEffect(() => {
    chart.current?.setOption(chartOption(spec, { series, view, theme }), { notMerge: true });
  }, [spec, series, view, theme]);
  const last = runs
    .map(({ id }) => `${id}: ${lastValues(series.filter(({ of }) => of.id === id))}`)
    .join('; ');
  const outside = outsideOf(spec, { series, view });
  const name = spec.title.toLowerCase().replaceAll(' ', '-');
  const svg = () =>
    decodeURIComponent((chart.current?.getDataURL({ type: 'svg' }) ?? '').replace(/^[^,]*,/, ''));
  return (
    <figure className="card chart">
      <figcaption>
        {spec.title} {spec.unit && <span className="quiet">({spec.unit})</span>}
      </figcaption>
      <div ref={container} className="plot" role="img" aria-label={`${spec.title}, last values: ${last}`} />
      {spec.legend && (
        <ul className="picked">
          {spec.legend.map(({ name: stage, colour }) => (
            <li key={stage}>
              <span className="swatch" style={{ background: lookOf(colour, theme).colour }} /> {stage}
            </li>
          ))}
        </ul>
      )}
      {outside !== undefined && <p className="quiet">{outside}</p>}
      {picked !== undefined && <Picked series={series} at={picked} view={view} />}
      <p className="downloads">
        <button
          type="button"
          aria-label={`${spec.title} as SVG`}
          onClick={() => saveFile(new Blob([svg()], { type: 'image/svg+xml' }), `${name}.svg`)}
        >
          SVG
        </button>
        <button
          type="button"
          aria-label={`${spec.title} as PNG`}
          onClick={() =>
            void pngOf(svg(), sizeOf(container.current as HTMLElement)).then((png) =>
              saveFile(png, `${name}.png`),
            )
          }
        >
          PNG
        </button>
        <button
          type="button"
          aria-label={`${spec.title} as CSV`}
          onClick={() => saveFile(new Blob([csvOf(series, view.axis)], { type: 'text/csv' }), `${name}.csv`)}
        >
          CSV
        </button>
      </p>
    </figure>
  );
}

/** On the colour of its card. */
const sizeOf = (element: HTMLElement) => ({
  width: element.clientWidth,
  height: element.clientHeight,
  background: getComputedStyle(element.parentElement as HTMLElement).backgroundColor,
});

const rounded = (value: number) => Number(value.toPrecision(4));

/** The values nearest to where the chart was clicked. */
function Picked({ series, at, view }: { series: readonly Series[]; at: number; view: ChartView }) {
  const theme = useTheme();
  const shown = series.flatMap(({ name, curve, points, of }) => {
    const [first] = points;
    if (!first) return [];
    const nearest = points.reduce(
      (best: Point, point) => (Math.abs(point.x - at) < Math.abs(best.x - at) ? point : best),
      first,
    );
    return [{ name, curve, nearest, of }];
  });
  return (
    <ul className="picked" aria-live="polite">
      {shown.map(({ name, nearest: { x, y, deviation }, curve, of }) => (
        <li key={name}>
          <span className="swatch" style={{ background: colourOf({ curve, of }, theme) }} /> {name}:{' '}
          {rounded(y)}
          {deviation !== undefined && ` ± ${rounded(deviation)}`}{' '}
          <span className="quiet">
            at {rounded(x)} ({axes[view.axis].title.toLowerCase()})
          </span>
        </li>
      ))}
    </ul>
  );
}

/** Of a chart's curves, in its name: of a curve for each block only the largest. */
const mostNamed = 5;

function lastValues(series: readonly Series[]): string {
  const values = series.flatMap(({ curve, points }) => {
    const last = points.at(-1);
    return last ? [{ name: curve.name, value: last.y }] : [];
  });
  const isMany = values.length > mostNamed;
  const named = isMany ? values.toSorted((a, b) => b.value - a.value).slice(0, mostNamed) : values;
  const text = named.map(({ name, value }) => `${name} ${Number(value.toPrecision(3))}`).join(', ');
  return `${text || 'none yet'}${isMany ? `, the largest of ${values.length}` : ''}`;
}
