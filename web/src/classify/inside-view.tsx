/** What is inside the network: the channels of a part for the image, and the filters of the first convolution. */
import { useEffect, useId, useMemo, useRef, useState } from 'react';
import { inferno } from '../../../src/images/heatmap/colour-map.ts';
import { milliseconds } from '../format.ts';
import { firstFilters, type Inside, type Request } from './messages.ts';
import { StrongestView } from './strongest-view.tsx';
import type { ClassifierState } from './use-classifier.ts';

interface InsideProps {
  readonly state: ClassifierState;
  readonly ask: (request: Request) => void;
}

/** As many as are looked at without scrolling far. */
const shownAtOnce = 48;

export function InsideView({ state: { model, inside, looking, strongest }, ask }: InsideProps) {
  const parts = model?.parts ?? [];
  const [part, setPart] = useState(parts[0] ?? firstFilters);
  const id = useId();
  return (
    <section className="card" aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>What is inside?</h2>
      <div className="options">
        <div className="field">
          <label htmlFor={id}>Part</label>
          <select id={id} value={part} onChange={({ target }) => setPart(target.value)}>
            <option value={firstFilters}>{firstFilters}</option>
            {parts.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </div>
        <button type="button" disabled={looking !== undefined} onClick={() => ask({ kind: 'inside', part })}>
          Look inside
        </button>
      </div>
      {looking !== undefined && (
        <p role="status">Computing {looking}… The first look opens the model a second time.</p>
      )}
      {inside && <Sheet key={`${inside.part} ${inside.elapsedMs}`} inside={inside} />}
      {part !== firstFilters && <StrongestView part={part} strongest={strongest} ask={ask} />}
    </section>
  );
}

interface Small {
  readonly channel: number;
  readonly values: Float32Array;
  readonly mean: number;
  readonly most: number;
}

function Sheet({ inside }: { inside: Inside }) {
  const { part, height, width, colours, elapsedMs } = inside;
  const isFilters = part === firstFilters;
  const [all, setAll] = useState(false);
  const images = useMemo(() => smallImages(inside), [inside]);
  const dead = isFilters ? 0 : images.filter(({ most }) => most <= 0).length;
  const shown = all ? images : images.slice(0, shownAtOnce);
  return (
    <>
      <p role="status">
        {isFilters
          ? `${images.length} filters of ${height}×${width} pixels${colours === 3 ? ' in colour' : ', a channel each'}, with batch normalisation folded into them: grey is 0.`
          : `${images.length} channels of ${height}×${width}, the one with the largest mean first; each from 0 (dark) to its own maximum. ${dead === 0 ? 'None is' : dead === 1 ? 'One is' : `${dead} are`} zero everywhere for this image.`}{' '}
        <span className="quiet">In {milliseconds(elapsedMs)}.</span>
      </p>
      <ul className="channels">
        {shown.map((small) => (
          <li key={small.channel}>
            <SmallImage small={small} inside={inside} />
          </li>
        ))}
      </ul>
      {images.length > shown.length && (
        <button type="button" onClick={() => setAll(true)}>
          Show all {images.length}
        </button>
      )}
    </>
  );
}

/** One for each channel or filter; channels in falling order of their means. */
function smallImages({ part, height, width, colours, values }: Inside): readonly Small[] {
  const length = height * width * colours;
  const images = Array.from({ length: values.length / length }, (_, channel): Small => {
    const own = values.subarray(channel * length, (channel + 1) * length);
    let [sum, most] = [0, Number.NEGATIVE_INFINITY];
    for (const value of own) {
      sum += value;
      if (value > most) most = value;
    }
    return { channel, values: own, mean: sum / length, most };
  });
  return part === firstFilters ? images : images.sort((a, b) => b.mean - a.mean);
}

function SmallImage({ small, inside }: { small: Small; inside: Inside }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { channel, mean, most, values } = small;
  const { height, width, colours, part } = inside;
  const isFilters = part === firstFilters;
  useEffect(() => {
    const pixels = new ImageData(width, height);
    const extent = Math.max(1e-12, ...values.map(Math.abs));
    for (let pixel = 0; pixel < width * height; pixel++) {
      const at = pixel * colours;
      const colour = isFilters
        ? [0, 1, 2].map((each) => 128 + (127 * (values[at + (colours === 3 ? each : 0)] as number)) / extent)
        : inferno(most > 0 ? (values[at] as number) / most : 0);
      pixels.data.set([...colour, 255], pixel * 4);
    }
    canvas.current?.getContext('2d')?.putImageData(pixels, 0, 0);
  }, [values, width, height, colours, isFilters, most]);
  const about = isFilters
    ? `Filter ${channel}`
    : `Channel ${channel}: mean ${Number(mean.toPrecision(3))}, maximum ${Number(most.toPrecision(3))}`;
  return (
    <figure title={about}>
      <canvas ref={canvas} width={width} height={height} role="img" aria-label={about} />
      <figcaption>{channel}</figcaption>
    </figure>
  );
}
