/** What one unit of a layer can depend on, over the square that the network sees: on an image of the reader's, or on an empty one. */
import { useEffect, useId, useMemo, useState } from 'react';
import { nodesAt } from '../../../src/diagram/cost-lines.ts';
import type { Graph, Node } from '../../../src/graph/graph.ts';
import { formatShape } from '../../../src/graph/graph.ts';
import {
  type FieldAxis,
  fieldOfUnit,
  type ReceptiveField,
  receptiveFields,
} from '../../../src/graph/receptive-fields.ts';
import { Picker } from '../classify/image-drop.tsx';
import { percent } from '../format.ts';

interface FieldProps {
  readonly graph: Graph;
  /** The layer, part or branch whose last operation is shown. */
  readonly path: string;
}

export function FieldView({ graph, path }: FieldProps) {
  const fields = useMemo(() => receptiveFields(graph), [graph]);
  // A place in the image, 0–1 from the top and from the left, so that it stays where it is from layer to layer.
  const [place, setPlace] = useState<readonly [number, number]>([0.5, 0.5]);
  const [image, setImage] = useImage();
  const [broken, setBroken] = useState<string>();
  const picker = useId();
  const node = nodesAt(graph, path).at(-1) as Node;
  const [rows, columns] = node.shape;
  const unit = { row: indexAt(place[0], rows), column: indexAt(place[1], columns) };
  const pixels = fieldOfUnit(graph, node.id, unit);
  const [height, width] = graph.network.input;
  const seen = { height: pixels.bottom - pixels.top + 1, width: pixels.right - pixels.left + 1 };
  const choose = (event: React.PointerEvent<SVGSVGElement>) => {
    const { left, top, width: across, height: down } = event.currentTarget.getBoundingClientRect();
    setPlace([(event.clientY - top) / down, (event.clientX - left) / across]);
  };
  return (
    <section className="field-view" aria-label="Receptive field">
      <svg viewBox={`0 0 ${width} ${height}`} role="img" onPointerDown={choose}>
        <title>{`The ${formatShape([height, width])} input; marked is what the unit depends on`}</title>
        <rect className="plain" width={width} height={height} />
        {image && (
          <image
            href={image.address}
            width={width}
            height={height}
            preserveAspectRatio="xMidYMid slice"
            onLoad={() => setBroken(undefined)}
            onError={() => setBroken(image.name)}
          />
        )}
        <path
          className="unseen"
          fillRule="evenodd"
          d={`M0 0H${width}V${height}H0Z M${pixels.left} ${pixels.top}h${seen.width}v${seen.height}h${-seen.width}Z`}
        />
        <rect className="seen" x={pixels.left} y={pixels.top} width={seen.width} height={seen.height} />
      </svg>
      <div>
        <h2>
          Receptive field of <code>{path}</code>
        </h2>
        <p>
          <FieldNumbers field={fields[node.id] as ReceptiveField} single={rows * columns === 1} />
        </p>
        <p>
          Unit {unit.row},{unit.column} of {rows}×{columns} depends on rows {pixels.top}–{pixels.bottom} and
          columns {pixels.left}–{pixels.right} of the image:{' '}
          {percent((seen.height * seen.width) / (height * width), 1)} of it.
        </p>
        <div className="places">
          <Place
            label="Row"
            units={rows}
            value={unit.row}
            onChange={(row) => setPlace([(row + 0.5) / rows, place[1]])}
          />
          <Place
            label="Column"
            units={columns}
            value={unit.column}
            onChange={(column) => setPlace([place[0], (column + 0.5) / columns])}
          />
          <Picker
            id={picker}
            label={image ? 'Another image' : 'On an image'}
            take={(files) => setImage(files?.[0])}
          />
        </div>
        {image &&
          (broken === image.name ? (
            <p role="alert">{image.name} is not an image that this browser can show; choose another file.</p>
          ) : (
            <p className="quiet">
              {image.name}, its middle cut to the network's shape; it does not leave this page.
            </p>
          ))}
      </div>
    </section>
  );
}

const indexAt = (place: number, units: number): number =>
  Math.min(units - 1, Math.max(0, Math.floor(place * units)));

/** The chosen file as an address that the page can show, given back when another is chosen. */
function useImage() {
  const [file, setFile] = useState<File>();
  const [address, setAddress] = useState<string>();
  useEffect(() => {
    if (!file) return;
    const created = URL.createObjectURL(file);
    setAddress(created);
    return () => URL.revokeObjectURL(created);
  }, [file]);
  return [file && address ? { address, name: file.name } : undefined, setFile] as const;
}

function FieldNumbers({
  field: { vertical, horizontal },
  single,
}: {
  field: ReceptiveField;
  single: boolean;
}) {
  if (!vertical || !horizontal)
    return 'Its branches move over the image by different strides: no single size and stride describe it.';
  const both = (number: (axis: FieldAxis) => number) => `${number(vertical)}×${number(horizontal)}`;
  return (
    <>
      <strong>{both(({ size }) => size)} pixels</strong>
      {single ? '' : `, neighbouring units ${both(({ stride }) => stride)} pixels apart`}; unit 0,0 begins at{' '}
      {vertical.start.toString().replace('-', '−')},{horizontal.start.toString().replace('-', '−')}
      {vertical.start < 0 || horizontal.start < 0 ? ', in the padding' : ''}.
    </>
  );
}

interface PlaceProps {
  readonly label: string;
  readonly units: number;
  readonly value: number;
  readonly onChange: (value: number) => void;
}

function Place({ label, units, value, onChange }: PlaceProps) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="range"
        min={0}
        max={units - 1}
        value={value}
        disabled={units === 1}
        onChange={({ target }) => onChange(Number(target.value))}
      />
    </div>
  );
}
