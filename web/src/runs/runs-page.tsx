/** Live training curves of any runs overlaid, and the mistakes of one run's last evaluation. */
import { useId, useMemo } from 'react';
import type { RunSummary } from '../../../src/dashboard/api.ts';
import { percent } from '../format.ts';
import { useChange } from '../location.ts';
import { useTheme } from '../theme.ts';
import { Chart } from './chart.tsx';
import { type Axis, axes, charts, runColours } from './curves.ts';
import { EvaluationView } from './evaluation-view.tsx';
import { LabelsView } from './labels-view.tsx';
import { type Connection, useLines, useRuns } from './use-runs.ts';
import './runs.css';

const connectionTexts: Readonly<Record<Connection, string>> = {
  connecting: 'connecting…',
  live: 'live, updated during training',
  lost: 'no connection to the dashboard; retrying, the data may be outdated',
  none: '',
};

/** One per distinguishable colour. */
const maxRuns = runColours.light.length;

export default function RunsPage({ settings }: { settings: URLSearchParams }) {
  const change = useChange('runs', settings);
  const { list, connection, version } = useRuns();
  const runs = list?.runs ?? [];
  const chosen = chosenRuns(settings.get('show'), runs);
  const key = chosen.map(({ id }) => id).join('\n');
  // Every event creates a new list; charts are redrawn only if the runs or their lines change.
  const ids = useMemo(() => (key === '' ? [] : key.split('\n')), [key]);
  const lines = useLines(ids, version);
  const theme = useTheme();
  const axis = Object.keys(axes).find((name) => name === settings.get('axis')) as Axis | undefined;
  const curves = useMemo(
    () =>
      ids.map((id, index) => ({
        id,
        colour: runColours[theme][index % maxRuns] as string,
        metrics: lines.get(id)?.metrics ?? [],
      })),
    [ids, theme, lines],
  );
  if (connection === 'none') return <NoServer />;
  const toggle = (id: string, selected: boolean) => {
    const next = selected ? [...ids, id] : ids.filter((other) => other !== id);
    change({ show: next.join(',') });
  };
  const examined =
    ids.find((id) => id === settings.get('of')) ??
    chosen.find(({ evaluation, test }) => evaluation ?? test)?.id ??
    ids[0];
  return (
    <div className="runs">
      <h1>Runs</h1>
      <p className="lead" role="status">
        <span className={`dot ${connection}`} aria-hidden="true" /> {connectionTexts[connection]}
      </p>
      {list && runs.length === 0 && (
        <p>
          No runs in this folder yet. <code>inception train … --out runs/first</code> starts one, and it
          appears here automatically.
        </p>
      )}
      {list?.broken.map(({ id, reason }) => (
        <p key={id} role="alert">
          {reason}
        </p>
      ))}
      {runs.length > 0 && (
        <>
          <RunTable runs={runs} curves={curves} toggle={toggle} />
          <AxisChoice
            axis={axis ?? 'epoch'}
            choose={(next) => change({ axis: next === 'epoch' ? undefined : next })}
          />
          <div className="charts">
            {charts.map((spec) => (
              <Chart key={spec.title} spec={spec} runs={curves} axis={axis ?? 'epoch'} />
            ))}
          </div>
          <p className="quiet">
            Thin lines: training; thick lines with dots: validation images; diamond: test images, scored once
            at the end.
          </p>
          {examined !== undefined && (
            <section aria-labelledby="evaluation" className="card">
              <h2 id="evaluation">Mistakes</h2>
              {ids.length > 1 && <RunChoice ids={ids} chosen={examined} choose={(of) => change({ of })} />}
              <EvaluationView key={examined} id={examined} version={version} />
              <LabelsView key={`labels of ${examined}`} id={examined} version={version} />
            </section>
          )}
        </>
      )}
    </div>
  );
}

/** The runs named in the URL, or the three most recently changed. */
function chosenRuns(show: string | null, runs: readonly RunSummary[]): readonly RunSummary[] {
  if (show === null) return runs.slice(0, 3);
  const names = show.split(',');
  return names.flatMap((id) => runs.find((run) => run.id === id) ?? []).slice(0, maxRuns);
}

interface RunTableProps {
  readonly runs: readonly RunSummary[];
  readonly curves: readonly { readonly id: string; readonly colour: string }[];
  readonly toggle: (id: string, on: boolean) => void;
}

function RunTable({ runs, curves, toggle }: RunTableProps) {
  const colours = new Map(curves.map(({ id, colour }) => [id, colour]));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be focusable by keyboard
    <section className="scroller card" tabIndex={0} aria-label="Runs in this folder">
      <table className="run-table">
        <thead>
          <tr>
            <th scope="col">Run</th>
            <th scope="col">Status</th>
            <th scope="col" className="number">
              Epochs
            </th>
            <th scope="col" className="number">
              Validation error
            </th>
            <th scope="col" className="number">
              Test error
            </th>
            <th scope="col">Network</th>
            <th scope="col">Data</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => {
            const colour = colours.get(run.id);
            return (
              <tr key={run.id}>
                <th scope="row">
                  <label className="check">
                    <input
                      type="checkbox"
                      checked={colour !== undefined}
                      disabled={colour === undefined && colours.size >= maxRuns}
                      onChange={({ target }) => toggle(run.id, target.checked)}
                    />
                    <span className="swatch" style={{ background: colour ?? 'transparent' }} />
                    {run.id}
                  </label>
                </th>
                <td>{statusOf(run)}</td>
                <td className="number">
                  {run.epoch.toFixed(1)} of {run.epochs}
                </td>
                <td className="number">{run.evaluation ? percent(run.evaluation.top1Error) : '–'}</td>
                <td className="number">{run.test ? percent(run.test.top1Error) : '–'}</td>
                <td>{describeNetwork(run)}</td>
                <td>{run.data}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

const statusOf = ({ training, epoch, epochs }: RunSummary) =>
  training ? <strong className="right">training</strong> : epoch >= epochs ? 'finished' : 'stopped';

/** `inception-v4, width 0.5, 75 pixels` */
function describeNetwork({ network, options }: RunSummary): string {
  const { width, inputSize } = options;
  return [
    network,
    width !== undefined && `width ${width}`,
    inputSize !== undefined && `${[inputSize].flat().join('×')} pixels`,
  ]
    .filter(Boolean)
    .join(', ');
}

function AxisChoice({ axis, choose }: { axis: Axis; choose: (axis: Axis) => void }) {
  const id = useId();
  return (
    <div className="field inline">
      <label htmlFor={id}>x axis</label>
      <select id={id} value={axis} onChange={({ target }) => choose(target.value as Axis)}>
        {Object.entries(axes).map(([name, { title }]) => (
          <option key={name} value={name}>
            {title.toLowerCase()}
          </option>
        ))}
      </select>
    </div>
  );
}

interface RunChoiceProps {
  readonly ids: readonly string[];
  readonly chosen: string;
  readonly choose: (id: string) => void;
}

function RunChoice({ ids, chosen, choose }: RunChoiceProps) {
  const id = useId();
  return (
    <div className="field inline">
      <label htmlFor={id}>Run</label>
      <select id={id} value={chosen} onChange={({ target }) => choose(target.value)}>
        {ids.map((run) => (
          <option key={run}>{run}</option>
        ))}
      </select>
    </div>
  );
}

function NoServer() {
  return (
    <>
      <h1>Runs</h1>
      <p>
        Runs are on the machine that trains. Open this page there with{' '}
        <code>inception dashboard --runs runs</code>; the page you see now comes from a web host without runs.
      </p>
    </>
  );
}
