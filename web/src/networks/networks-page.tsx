/** Every network as an explorable diagram: one, or two side by side. */
import { useMemo, useState } from 'react';
import { nodesAt } from '../../../src/diagram/cost-lines.ts';
import { diagramSheet } from '../../../src/diagram/diagram.ts';
import { pdfOf } from '../../../src/diagram/pdf.ts';
import type { Sheet } from '../../../src/diagram/sheet.ts';
import { svgOf } from '../../../src/diagram/svg.ts';
import { buildGraph } from '../../../src/graph/build-graph.ts';
import { compareGraphs, type PartDifference } from '../../../src/graph/compare-graphs.ts';
import { formatShape, type Graph } from '../../../src/graph/graph.ts';
import { configure, findNetwork, networks } from '../../../src/networks/networks.ts';
import { layersInside } from '../../../src/networks/notation.ts';
import { addressOf, changed, useChange } from '../location.ts';
import { pngOf, saveFile } from '../save-file.ts';
import { type Change, Check, NetworkSelect, OptionControls } from './controls.tsx';
import { CostTiles, StepTable } from './costs-view.tsx';
import { blocksOf, Differences } from './differences.tsx';
import { FieldView } from './field-view.tsx';
import { type Direction, FigureView, type Mark } from './figure-view.tsx';
import { type Level, levelAt } from './level.ts';
import { readNetwork, readOptions, type Side, unknownNetwork } from './network-settings.ts';
import './networks.css';

/** A graph, or the error why it cannot be built. */
type Built = { readonly graph: Graph } | { readonly error: string };

function build(name: string, options: Parameters<typeof configure>[1]): Built {
  try {
    return { graph: buildGraph(configure(findNetwork(name), options)) };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

function useNetwork(settings: URLSearchParams, side: Side): { built: Built; drawn: Graph } {
  const name = readNetwork(settings, side);
  const options = JSON.stringify(readOptions(settings, side));
  const built = useMemo(() => build(name, JSON.parse(options)), [name, options]);
  const drawn = useMemo(() => buildGraph(configure(findNetwork(name))), [name]);
  return { built, drawn };
}

export function NetworksPage({ settings }: { settings: URLSearchParams }) {
  const change = useChange('networks', settings);
  const comparing = settings.get('compare') === 'yes';
  const levelPath = settings.get('at') ?? '';
  const urlAt = (path: string) => addressOf('networks', changed(settings, { at: path || undefined }));
  const first = useNetwork(settings, 'first');
  const second = useNetwork(settings, 'second');
  const graphs =
    comparing && 'graph' in first.built && 'graph' in second.built
      ? ([first.built.graph, second.built.graph] as const)
      : undefined;
  const marked = useMemo(() => {
    const parts = graphs ? compareGraphs(...graphs) : [];
    const isInKind = ({ kind }: PartDifference) => kind !== 'same' && kind !== 'follows';
    const marks = (wanted: (part: PartDifference) => boolean, mark: Mark) =>
      parts.filter(wanted).flatMap((part) => marksOf(part).map((path) => [path, mark] as const));
    // A stage whose blocks differ in kind and in size is of the former.
    return new Map([...marks(({ kind }) => kind === 'follows', 'follows'), ...marks(isInKind, 'differs')]);
  }, [graphs]);
  const direction: Direction = settings.get('direction') === 'up' ? 'up' : 'down';
  const common = { settings, change, levelPath, urlAt, direction };
  return (
    <div className="networks">
      <h1>Networks</h1>
      <p className="lead">
        Each network is its figures as data. Open a box to see inside; shapes, parameters and multiply-adds
        are derived from the definition that is also used for training.
      </p>
      <div className="options">
        <Check
          label="Compare two networks"
          checked={comparing}
          onChange={(enabled) => change({ compare: enabled ? 'yes' : undefined })}
        />
        <Check
          label="Input at the bottom, as printed"
          checked={direction === 'up'}
          onChange={(up) => change({ direction: up ? 'up' : undefined })}
        />
      </div>
      <div className={comparing ? 'sides' : undefined}>
        <NetworkPanel {...common} {...first} side="first" compact={comparing} marked={marked} />
        {comparing && <NetworkPanel {...common} {...second} side="second" compact marked={marked} />}
      </div>
      {graphs && <Differences first={graphs[0]} second={graphs[1]} addressOf={urlAt} />}
    </div>
  );
}

/** Boxes to highlight for a part that differs: its own, its stage's, and those of its layers. */
function marksOf({ name, layers }: PartDifference): string[] {
  const inside = layers.map((line) => line.slice(0, line.indexOf(':')));
  const blocks = blocksOf(name).flatMap((path) => [path, ...inside.map((layer) => `${path}/${layer}`)]);
  return [name.split('/')[0] as string, ...blocks];
}

interface PanelProps {
  readonly settings: URLSearchParams;
  readonly change: Change;
  readonly side: Side;
  readonly levelPath: string;
  readonly urlAt: (path: string) => string;
  readonly direction: Direction;
  readonly built: Built;
  readonly drawn: Graph;
  readonly compact: boolean;
  readonly marked: ReadonlyMap<string, Mark>;
}

/** On a phone, open options would push the network off the screen. */
const isWide = matchMedia('(min-width: 40rem)').matches;

function NetworkPanel({
  settings,
  change,
  side,
  levelPath,
  urlAt,
  direction,
  built,
  drawn,
  compact,
  marked,
}: PanelProps) {
  const graph = 'graph' in built ? built.graph : undefined;
  const unknown = unknownNetwork(settings, side);
  const level = useMemo(() => graph && levelAt(graph, levelPath), [graph, levelPath]);
  return (
    <section className="panel" aria-label={side === 'first' ? 'First network' : 'Second network'}>
      <div className="chooser">
        <NetworkSelect settings={settings} side={side} change={change} />
        <p className="quiet">{drawn.network.about}</p>
      </div>
      <details open={!compact && isWide}>
        <summary>Options</summary>
        <OptionControls settings={settings} side={side} change={change} />
      </details>
      {unknown !== undefined && (
        <p role="alert">
          The address names a network that is not here: '{unknown}'. Shown instead: {drawn.network.name}.
          There are {networks.map(({ name }) => name).join(', ')}.
        </p>
      )}
      {'error' in built && <p role="alert">{built.error}</p>}
      {unknown === undefined && level?.missing !== undefined && (
        <p role="alert">
          {drawn.network.name} has no part '{level.missing}', which the address names. Shown instead:{' '}
          {level.path === '' ? 'the whole network' : level.path}.
        </p>
      )}
      {graph && <CostTiles graph={graph} drawn={drawn} />}
      {level && graph && (
        <LevelView
          key={level.path}
          graph={graph}
          level={level}
          direction={direction}
          urlAt={urlAt}
          compact={compact}
          marked={marked}
        />
      )}
    </section>
  );
}

interface LevelProps {
  readonly graph: Graph;
  readonly level: Level;
  readonly direction: Direction;
  readonly urlAt: (path: string) => string;
  readonly compact: boolean;
  readonly marked: ReadonlyMap<string, Mark>;
}

/** A wider drawing is placed above its table instead of beside it. */
const maxWidthBeside = 560;

function LevelView({ graph, level, direction, urlAt, compact, marked }: LevelProps) {
  const [pointed, setPointed] = useState<string>();
  const isStacked = compact || level.drawing.width > maxWidthBeside;
  const shown = [pointed, level.path || level.steps[0]?.path].find(
    (path) => path && nodesAt(graph, path).length > 0,
  );
  const field = !compact && shown !== undefined && <FieldView graph={graph} path={shown} />;
  return (
    <>
      <nav className="crumbs" aria-label={`Location in ${graph.network.name}`}>
        <ol>
          {level.crumbs.map(({ path, title }) => (
            <li key={path}>
              {path === level.path ? (
                <span aria-current="location">{title}</span>
              ) : (
                <a href={urlAt(path)}>{title}</a>
              )}
            </li>
          ))}
        </ol>
      </nav>
      {level.siblings.length > 1 && (
        <nav className="siblings" aria-label="Blocks of this stage">
          {level.siblings.map((path, index) => (
            <a key={path} href={urlAt(path)} aria-current={path === level.path ? 'true' : undefined}>
              {index}
            </a>
          ))}
        </nav>
      )}
      <p className="legend">
        {level.printed?.figure !== undefined && `${level.printed.figure}: `}
        {formatShape(level.input)} → {formatShape(level.output)}
        <span className="quiet"> · boxes show output shape; parameters · multiply-adds</span>
      </p>
      <div className={isStacked ? undefined : 'level'}>
        {isStacked && field}
        <FigureView
          level={level}
          direction={direction}
          addressOf={urlAt}
          marked={marked}
          onPoint={compact ? undefined : setPointed}
        />
        <div>
          {!isStacked && field}
          {level.printed && <PrintedNotes graph={graph} printed={level.printed} direction={direction} />}
          <StepTable level={level} addressOf={urlAt} />
          <ParameterTable graph={graph} level={level} />
        </div>
      </div>
    </>
  );
}

/** A figure's file by its ending. */
const formats: Readonly<Record<'svg' | 'png' | 'pdf', (sheet: Sheet) => Blob | Promise<Blob>>> = {
  svg: (sheet) => new Blob([svgOf(sheet)], { type: 'image/svg+xml' }),
  png: (sheet) => pngOf(svgOf(sheet), { ...sheet, background: '#ffffff' }),
  pdf: (sheet) => new Blob([pdfOf(sheet) as BlobPart], { type: 'application/pdf' }),
};

/** Where the drawing departs from print, and the figure as a file, as `inception diagram` writes it. */
function PrintedNotes({
  graph,
  printed,
  direction,
}: {
  graph: Graph;
  printed: NonNullable<Level['printed']>;
  direction: Direction;
}) {
  const { key, notes } = printed;
  const { network } = graph;
  const layer = network.layers[key];
  const hasFigure = key === '' || layer === undefined || layersInside(layer).length > 0;
  const save = (format: keyof typeof formats) => async () => {
    const sheet = diagramSheet(network, { ...(key !== '' && { part: key }), direction, costs: true });
    saveFile(await formats[format](sheet), `${[network.name, key].filter(Boolean).join('-')}.${format}`);
  };
  return (
    <div className="printed">
      {notes.length > 0 && (
        <div>
          {notes.map(({ number, why }) => (
            <p key={number}>
              <span className="number">{number}</span> {why}
            </p>
          ))}
        </div>
      )}
      {hasFigure && (
        <p className="buttons">
          <span className="quiet">Save {key === '' ? 'all figures' : 'this figure'} as</span>
          {(['svg', 'png', 'pdf'] as const).map((format) => (
            <button key={format} type="button" onClick={() => void save(format)()}>
              {format.toUpperCase()}
            </button>
          ))}
        </p>
      )}
    </div>
  );
}

/** The tensors of a single layer, by their names in a weights file. */
function ParameterTable({ graph, level }: { graph: Graph; level: Level }) {
  if (level.steps.some(({ path }) => path !== '') || level.path === '') return null;
  const tensors = graph.nodes
    .filter(({ path }) => path === level.path)
    .flatMap((node) => node.parameters.members.flatMap((member) => Object.values(member)));
  if (tensors.length === 0) return null;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be focusable by keyboard
    <section className="scroller" tabIndex={0} aria-label="Tensors">
      <table>
        <caption>Tensors of this layer</caption>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Shape</th>
          </tr>
        </thead>
        <tbody>
          {tensors.map(({ name, shape }) => (
            <tr key={name}>
              <th scope="row">
                <code>{name}</code>
              </th>
              <td>{formatShape(shape)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
