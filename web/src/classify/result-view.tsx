/** The result: labels with bars, the network's input, times, and the saliency map. */
import { useEffect, useId, useRef, useState } from 'react';
import { milliseconds, percent } from '../format.ts';
import { Bars } from './bars.tsx';
import type { Request, Result } from './messages.ts';
import type { ClassifierState, Saliency } from './use-classifier.ts';

interface ResultProps {
  readonly state: ClassifierState;
  readonly result: Result;
  readonly ask: (request: Request) => void;
}

export function ResultView({ state, result, ask }: ResultProps) {
  const classes = state.model?.description.classes ?? [];
  const [best] = result.top;
  return (
    <div className="result">
      <InputView result={result} saliency={state.saliency} classes={classes} />
      <div>
        <p className="answer" role="status">
          {best && (
            <>
              {classes[best.label]} <span className="quiet">{percent(best.probability, 1)}</span>
            </>
          )}
        </p>
        <Bars name="The most probable labels" bars={result.top} classes={classes} />
        <p className="quiet times">
          {result.image.width}×{result.image.height} pixels: decoded in {milliseconds(result.decodeMs)},
          resized in {milliseconds(result.preprocessMs)}, network {milliseconds(result.runMs)}
        </p>
        <SaliencyControls key={best?.label} state={state} result={result} ask={ask} />
      </div>
    </div>
  );
}

const cellChoices = [4, 6, 8, 12, 16, 24];

/** Longer than this nobody expects without having been told. */
const patienceMs = 30_000;

const timeOf = (cells: number, { runMs }: Result): number => cells * cells * runMs;

/** The finest of the usual grids that takes no more than the patience of a reader; the coarsest otherwise. */
const usualCells = (result: Result): number =>
  [12, 8, 6].find((cells) => timeOf(cells, result) <= patienceMs) ?? 4;

/** 245 s as 4 min 5 s. */
function spelled(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** What a map of many runs costs, and what is quicker; nothing for a quick one. */
function Warning({ cells, result, activates }: { cells: number; result: Result; activates: boolean }) {
  const ms = timeOf(cells, result);
  if (ms <= patienceMs) return null;
  const coarser = cellChoices.find((each) => each < cells);
  return (
    <p>
      This takes about <strong>{spelled(ms)}</strong>: {cells * cells} runs of {milliseconds(result.runMs)}.
      {coarser !== undefined &&
        ` A grid of ${coarser}×${coarser} takes about ${spelled(timeOf(coarser, result))}.`}
      {activates && ' The last grid takes one run.'}
    </p>
  );
}

function SaliencyControls({ state, result, ask }: ResultProps) {
  const classes = state.model?.description.classes ?? [];
  const activates = state.model?.activates ?? false;
  const [cells, setCells] = useState<number | 'activation'>(activates ? 'activation' : usualCells(result));
  const [label, setLabel] = useState(result.top[0]?.label ?? 0);
  const ids = [useId(), useId()];
  const { saliency, explaining, stopped } = state;
  return (
    <fieldset className="saliency">
      <legend>What is this prediction based on?</legend>
      <p className="quiet">
        {cells === 'activation'
          ? 'Warm colours mark the cells of the last grid that add most to the label: class activation, which is Grad-CAM for this classifier.'
          : "A grey square covers each region of the image in turn; warm colours mark the regions whose covering lowers the label's probability most."}
      </p>
      <div className="options">
        <div className="field">
          <label htmlFor={ids[0]}>Label</label>
          <select id={ids[0]} value={label} onChange={({ target }) => setLabel(Number(target.value))}>
            {result.top.map((entry) => (
              <option key={entry.label} value={entry.label}>
                {classes[entry.label]}
              </option>
            ))}
          </select>
        </div>
        <div className="field">
          <label htmlFor={ids[1]}>Grid</label>
          <select
            id={ids[1]}
            value={cells}
            onChange={({ target }) =>
              setCells(target.value === 'activation' ? 'activation' : Number(target.value))
            }
          >
            {activates && <option value="activation">last grid, at once</option>}
            {cellChoices.map((count) => (
              <option key={count} value={count}>
                {count}×{count}, about {spelled(timeOf(count, result))}
              </option>
            ))}
          </select>
        </div>
        {explaining ? (
          <button type="button" onClick={() => ask({ kind: 'stop saliency' })}>
            Stop
          </button>
        ) : (
          <button type="button" className="main" onClick={() => ask({ kind: 'saliency', label, cells })}>
            Show
          </button>
        )}
      </div>
      {cells !== 'activation' && !explaining && (
        <Warning cells={cells} result={result} activates={activates} />
      )}
      <p role="status" className="progress">
        {explaining && (
          <progress
            value={saliency?.done ?? 0}
            max={saliency?.values.length ?? 1}
            aria-label="Saliency map"
          />
        )}
        {stopped ? 'Stopped.' : saliency && !explaining && describeSaliency(saliency, classes)}
      </p>
    </fieldset>
  );
}

/** Describes the map in words, for users who cannot see it. */
function describeSaliency(
  { by, values, cells, label, elapsedMs }: Saliency,
  classes: readonly string[],
): string {
  const strongest = values.indexOf(Math.max(...values));
  const thirdName = (share: number, names: readonly [string, string, string]) =>
    names[Math.min(2, Math.floor(share * 3))];
  const region = [
    thirdName(Math.floor(strongest / cells) / (values.length / cells), ['top', 'middle', 'bottom']),
    thirdName((strongest % cells) / cells, ['left', 'centre', 'right']),
  ].join(' ');
  if (by === 'activation')
    return (values[strongest] as number) > 0
      ? `The ${region} adds most to “${classes[label]}”. One run in ${milliseconds(elapsedMs)}.`
      : `No cell of the last grid speaks for “${classes[label]}”. One run in ${milliseconds(elapsedMs)}.`;
  return `“${classes[label]}” depends most on the ${region}: covering it lowers the probability by ${((values[strongest] as number) * 100).toFixed(1)} points. ${values.length} runs in ${milliseconds(elapsedMs)}.`;
}

interface InputProps {
  readonly result: Result;
  readonly saliency: Saliency | undefined;
  readonly classes: readonly string[];
}

function InputView({ result: { input }, saliency, classes }: InputProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    const pixels = new ImageData(new Uint8ClampedArray(input.pixels), input.width, input.height);
    context?.putImageData(pixels, 0, 0);
  }, [input]);
  useEffect(() => {
    if (overlay.current && saliency) drawSaliency(overlay.current, saliency);
  }, [saliency]);
  const about = `The network's input, ${input.width}×${input.height} pixels`;
  return (
    <figure className="input">
      <div className="layers">
        <canvas ref={canvas} width={input.width} height={input.height} role="img" aria-label={about} />
        {saliency && (
          <canvas
            ref={overlay}
            width={saliency.cells}
            height={saliency.values.length / saliency.cells}
            role="img"
            aria-label={`Saliency map of ${classes[saliency.label]}`}
          />
        )}
      </div>
      <figcaption className="quiet">Network input: {`${input.width}×${input.height}`}</figcaption>
    </figure>
  );
}

/** One pixel per cell, scaled up smoothly by the browser: transparent through yellow to red. */
function drawSaliency(canvas: HTMLCanvasElement, { cells, values }: Saliency): void {
  const maximum = Math.max(1e-6, ...values);
  const pixels = new ImageData(cells, values.length / cells);
  values.forEach((value, cell) => {
    const fraction = Math.max(0, value / maximum);
    pixels.data.set([255, Math.round(210 * (1 - fraction)), 40, Math.round(215 * fraction ** 0.8)], cell * 4);
  });
  canvas.getContext('2d')?.putImageData(pixels, 0, 0);
}
