/** A chart drawn by ECharts as SVG: sharp at any size, with selectable text. */
import { LineChart } from 'echarts/charts';
import { GridComponent, TooltipComponent } from 'echarts/components';
import { type EChartsType, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { useEffect, useRef } from 'react';
import { useTheme } from '../theme.ts';
import { type Axis, type ChartSpec, chartOption, type RunCurves } from './curves.ts';

use([LineChart, GridComponent, TooltipComponent, SVGRenderer]);

interface ChartProps {
  readonly spec: ChartSpec;
  readonly runs: readonly RunCurves[];
  readonly axis: Axis;
}

export function Chart({ spec, runs, axis }: ChartProps) {
  const container = useRef<HTMLDivElement>(null);
  const chart = useRef<EChartsType>(undefined);
  const theme = useTheme();
  useEffect(() => {
    const element = container.current as HTMLDivElement;
    const created = init(element, null, { renderer: 'svg' });
    chart.current = created;
    const observer = new ResizeObserver(() => created.resize());
    observer.observe(element);
    return () => {
      observer.disconnect();
      created.dispose();
    };
  }, []);
  useEffect(() => {
    chart.current?.setOption(chartOption(spec, { runs, axis, theme }), { notMerge: true });
  }, [spec, runs, axis, theme]);
  const last = runs.map(({ id, metrics }) => `${id}: ${lastValues(spec, metrics)}`).join('; ');
  return (
    <figure className="card chart">
      <figcaption>
        {spec.title} {spec.unit && <span className="quiet">({spec.unit})</span>}
      </figcaption>
      <div ref={container} className="plot" role="img" aria-label={`${spec.title}, last values: ${last}`} />
    </figure>
  );
}

function lastValues(spec: ChartSpec, metrics: RunCurves['metrics']): string {
  const values = spec.curves.flatMap(({ name, kind, value }) => {
    const line = metrics.findLast((candidate) => candidate.kind === kind);
    return line ? [`${name} ${Number(value(line as never).toPrecision(3))}`] : [];
  });
  return values.join(', ') || 'none yet';
}
