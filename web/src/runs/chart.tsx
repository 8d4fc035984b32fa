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
  nearestIndex,
  outsideOf,
  type Point,
  placesOf,
  type RunCurves,
  type Series,
  seriesOf,
} from './curves.ts';
import { zoomByDragging } from './drag-zoom.ts';

use([LineChart, CustomChart, GridComponent, TooltipComponent, SVGRenderer]);

interface ChartProps {
  readonly spec: ChartSpec;
  readonly runs: readonly RunCurves[];
  readonly view: ChartView;
  /** Shows a part of the x axis, in every chart. */
  readonly zoom: (from: number, to: number) => void;
}

export function Chart({ spec, runs, view, zoom }: ChartProps) {
  const container = useRef<HTMLDivElement>(null);
  const chart = useRef<EChartsType>(undefined);
  const [picked, setPicked] = useState<number>();
  const [band, setBand] = useState<{ readonly left: number; readonly width: number }>();
  const zoomNow = useRef(zoom);
  useEffect(() => {
    zoomNow.current = zoom;
  }, [zoom]);
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
    const endZoom = zoomByDragging(element, {
      chart: created,
      onDrag: setBand,
      onZoom: (from, to) => zoomNow.current(from, to),
    });
    return () => {
      endZoom();
      observer.disconnect();
      created.dispose();
    };
  }, []);
  useEffect(() => {
    chart.current?.setOption(chartOption(spec, { series, view, theme, picked }), { notMerge: true });
  }, [spec, series, view, theme, picked]);
  const places = useMemo(() => placesOf(series), [series]);
  const last = runs
    .map(({ id }) => `${id}: ${lastValues(series.filter(({ of }) => of.id === id))}`)
    .join('; ');
  const outside = outsideOf(spec, { series, view });
  const name = spec.title.toLowerCase().replaceAll(/[^a-z]+/g, '-');
  const svg = () =>
    decodeURIComponent((chart.current?.getDataURL({ type: 'svg' }) ?? '').replace(/^[^,]*,/, ''));
  return (
    <figure className="card chart">
      <figcaption>
        {spec.title} {spec.unit && <span className="quiet">({spec.unit})</span>}
      </figcaption>
      <div className="plot-frame">
        <div ref={container} className="plot" role="img" aria-label={`${spec.title}, last values: ${last}`} />
        {band && <div className="zoom-band" style={band} />}
      </div>
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
      <ul className="picked" aria-live="polite" aria-label={`${spec.title}: values`}>
        {picked !== undefined && <Picked series={series} at={picked} view={view} />}
      </ul>
      <p className="downloads">
        {places.length > 0 && (
          <PointSlider
            title={spec.title}
            places={places}
            at={picked}
            unit={axes[view.axis].title.toLowerCase()}
            choose={setPicked}
          />
        )}
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

/** Of a curve for each block only the largest are told. */
const mostPicked = 12;

/** The values nearest to where the chart was clicked, or to where the slider stands. */
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
  const named =
    shown.length > mostPicked
      ? shown.toSorted((a, b) => b.nearest.y - a.nearest.y).slice(0, mostPicked)
      : shown;
  return (
    <>
      {named.map(({ name, nearest: { x, y, deviation }, curve, of }) => (
        <li key={name}>
          <span className="swatch" style={{ background: colourOf({ curve, of }, theme) }} /> {name}:{' '}
          {rounded(y)}
          {deviation !== undefined && ` ± ${rounded(deviation)}`}{' '}
          <span className="quiet">
            at {rounded(x)} ({axes[view.axis].title.toLowerCase()})
          </span>
        </li>
      ))}
      {named.length < shown.length && (
        <li className="quiet">and {shown.length - named.length} smaller values</li>
      )}
    </>
  );
}

interface PointSliderProps {
  readonly title: string;
  readonly places: readonly number[];
  readonly at: number | undefined;
  readonly unit: string;
  readonly choose: (place: number) => void;
}

/** Moves from point to point: by the arrow keys, and on a touch screen. */
function PointSlider({ title, places, at, unit, choose }: PointSliderProps) {
  const last = places.length - 1;
  const index = at === undefined ? last : nearestIndex(places, at);
  const place = places[index] as number;
  return (
    <input
      type="range"
      className="points"
      min={0}
      max={last}
      step={1}
      value={index}
      aria-label={`${title}: point`}
      aria-valuetext={`${rounded(place)} ${unit}`}
      onChange={({ target }) => choose(places[Number(target.value)] as number)}
      // The first point that one comes to is the last one.
      onKeyDown={({ key }) => {
        if (at === undefined && /^(Arrow(Right|Up)|End|Enter)$/.test(key)) choose(place);
      }}
    />
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

/** Ends a zoom, where there is one. */
export function ZoomReset({ view, showAll }: { view: ChartView; showAll: () => void }) {
  if (view.from === undefined && view.to === undefined) return null;
  return (
    <p className="zoom-reset">
      <button type="button" onClick={showAll}>
        Show the whole x axis
      </button>
    </p>
  );
}
