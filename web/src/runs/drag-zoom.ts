/** A part of a chart's x axis, chosen by dragging with the mouse. */
import type { EChartsType } from 'echarts/core';

/** Pixels; less is a click. */
const leastDrag = 8;

interface DragZoom {
  readonly chart: EChartsType;
  /** While it is being dragged: left edge and width in pixels; undefined at the end. */
  readonly onDrag: (band: { readonly left: number; readonly width: number } | undefined) => void;
  readonly onZoom: (from: number, to: number) => void;
}

/** @returns what ends it */
export function zoomByDragging(element: HTMLElement, { chart, onDrag, onZoom }: DragZoom): () => void {
  let start: number | undefined;
  let drags = false;
  const placeOf = ({ clientX, clientY }: PointerEvent) => {
    const { left, top } = element.getBoundingClientRect();
    return [clientX - left, clientY - top] as const;
  };
  const end = () => {
    start = undefined;
    drags = false;
    onDrag(undefined);
  };
  const listeners: Readonly<Record<string, (event: PointerEvent) => void>> = {
    pointerdown: (event) => {
      const place = placeOf(event);
      const begins = event.button === 0 && event.pointerType === 'mouse';
      if (begins && chart.containPixel('grid', [...place])) start = place[0];
    },
    pointermove: (event) => {
      if (start === undefined) return;
      const [x] = placeOf(event);
      // From here on the release is ours, wherever it happens, and no click.
      if (!drags && Math.abs(x - start) >= leastDrag) {
        drags = true;
        element.setPointerCapture(event.pointerId);
      }
      if (drags) onDrag({ left: Math.min(start, x), width: Math.abs(x - start) });
    },
    pointerup: (event) => {
      if (start !== undefined && drags) {
        const [x] = placeOf(event);
        const [from, to] = [Math.min(start, x), Math.max(start, x)].map((pixel) =>
          Math.max(0, Number(Number(chart.convertFromPixel({ xAxisIndex: 0 }, pixel)).toPrecision(4))),
        ) as [number, number];
        if (to > from) onZoom(from, to);
      }
      end();
    },
    pointercancel: end,
  };
  for (const [name, listener] of Object.entries(listeners))
    element.addEventListener(name, listener as EventListener);
  return () => {
    for (const [name, listener] of Object.entries(listeners))
      element.removeEventListener(name, listener as EventListener);
  };
}
