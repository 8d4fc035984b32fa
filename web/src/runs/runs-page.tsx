/** Live training curves of any runs overlaid, and the mistakes of one run's last evaluation. */
import { useId, useMemo, useState } from 'react';
import type { RunSummary } from '../../../src/dashboard/api.ts';
import { addressOf, useChange } from '../location.ts';
import { useTheme } from '../theme.ts';
import { Chart, ZoomReset } from './chart.tsx';
import { charts, remarksOf } from './chart-specs.ts';
import { type Axis, axes, type ChartView, lookOf } from './curves.ts';
import { EvaluationView } from './evaluation-view.tsx';
import { LabelsView } from './labels-view.tsx';
import { type Grouping, groupingOf, groupRuns, latestRuns, nameOfGroup } from './list.ts';
import { RunPage } from './run-page.tsx';
import { RunTable } from './run-table.tsx';
import { type Connection, useLines, useRuns } from './use-runs.ts';
import './runs.css';

const connectionTexts: Readonly<Record<Connection, string>> = {
  connecting: 'connecting…',
  live: 'live, updated during training',
  lost: 'no connection to the dashboard; retrying, the data may be outdated',
  none: '',
};

export default function RunsPage({ settings }: { settings: URLSearchParams }) {
  const change = useChange('runs', settings);
  const { list, connection, version } = useRuns();
  const runs = list?.runs ?? [];
  const grouping = groupingOf(settings.get('group'));
  const { chosen, unknown } = chosenRuns(settings.get('show'), { runs, grouping });
  const key = groupRuns(chosen, grouping)
    .map((group) => group.map(({ id }) => id).join('\t'))
    .join('\n');
  // Every event creates a new list; charts are redrawn only if the runs or their lines change.
  const groups = useMemo(() => (key === '' ? [] : key.split('\n').map((group) => group.split('\t'))), [key]);
  const ids = useMemo(() => groups.flat(), [groups]);
  const lines = useLines(ids, version);
  const theme = useTheme();
  const view = useMemo(() => viewOf(settings), [settings]);
  const curves = useMemo(
    () =>
      groups.map((group, index) => ({
        id: nameOfGroup(group),
        ...lookOf(index, theme),
        runs: group.map((id) => lines.get(id)?.metrics ?? []),
      })),
    [groups, theme, lines],
  );
  // The fields of the x axis hold what is typed; a zoom gives them new values.
  const [zooms, setZooms] = useState(0);
  const show = (part: { from: string | undefined; to: string | undefined }) => {
    change(part);
    setZooms(zooms + 1);
  };
  const zoom = (from: number, to: number) => show({ from: String(from), to: String(to) });
  const showAll = () => show({ from: undefined, to: undefined });
  if (connection === 'none') return <NoServer />;
  const asked = settings.get('run');
  if (asked !== null) {
    const run = runs.find(({ id }) => id === asked);
    const broken = list?.broken.find(({ id }) => id === asked);
    return (
      <div className="runs">
        <h1 className="run-title">{asked}</h1>
        <p className="lead">
          <a href={addressOf('runs')}>All runs</a>
        </p>
        {run && <RunPage run={run} version={version} view={view} zoom={zoom} showAll={showAll} />}
        {list && !run && (
          <p role="alert">{broken ? broken.reason : `There is no run '${asked}' in this folder.`}</p>
        )}
      </div>
    );
  }
  const colours = new Map(
    groups.flatMap((group, index) => group.map((id) => [id, lookOf(index, theme).colour] as const)),
  );
  const problems = new Map(
    ids.flatMap((id) => {
      const problem = lines.get(id)?.problem;
      return problem === undefined ? [] : [[id, problem] as const];
    }),
  );
  const toggle = (toggled: readonly string[], selected: boolean) => {
    const others = ids.filter((id) => !toggled.includes(id));
    change({ show: (selected ? [...others, ...toggled] : others).map(encodeURIComponent).join(',') });
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
      {list && unknown.length > 0 && (
        <p role="alert">The address names what is no run of this folder: '{unknown.join("', '")}'.</p>
      )}
      {list && runs.length + list.experiments.length === 0 && (
        <p>
          No runs in this folder yet. <code>inception train … --out runs/first</code> starts one, and it
          appears here automatically.
        </p>
      )}
      {list && runs.length + list.broken.length + list.experiments.length > 0 && (
        <RunTable
          list={list}
          settings={settings}
          change={change}
          colours={colours}
          toggle={toggle}
          problems={problems}
        />
      )}
      {runs.length > 0 && (
        <>
          <ViewChoice key={zooms} view={view} change={change} />
          <ZoomReset view={view} showAll={showAll} />
          <div className="charts">
            {charts.map((spec) => (
              <Chart key={spec.title} spec={spec} runs={curves} view={view} zoom={zoom} />
            ))}
          </div>
          <p className="quiet">
            Thin lines: training{view.smoothing > 0 && ', smoothed'}; thick lines with dots: validation
            images; diamond: test images, scored once at the end. Click a chart for its values there, or move
            its slider; drag over a part to see that alone.
            {ids.some((id) => remarksOf(lines.get(id)?.metrics ?? []).length > 0) &&
              ' Dashed upright lines: warnings, whose texts the page of the run has.'}
            {groups.some((group) => group.length > 1) &&
              ' Of a group: the mean of its runs, with a band of one standard deviation to each side, at the steps that all of them have.'}
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

/** The runs named in the URL, or the three most recently changed; and names of runs that are not here. */
function chosenRuns(
  show: string | null,
  { runs, grouping }: { readonly runs: readonly RunSummary[]; readonly grouping: Grouping },
) {
  if (show === null) return { chosen: latestRuns(runs, { count: 3, grouping }), unknown: [] };
  const byId = new Map(runs.map((run) => [run.id, run]));
  const names = show.split(',').filter(Boolean).map(decoded);
  return {
    chosen: names.flatMap((id) => byId.get(id) ?? []),
    unknown: names.filter((id) => !byId.has(id)),
  };
}

/** Names are encoded in the address, because they may hold commas; one written by hand may be no encoding. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

const numberIn = (text: string | null): number | undefined => {
  const value = Number(text ?? '');
  return text && Number.isFinite(value) && value >= 0 ? value : undefined;
};

function viewOf(settings: URLSearchParams): ChartView {
  const logarithmic = settings.get('log')?.split(',') ?? [];
  const axis = Object.keys(axes).find((name) => name === settings.get('axis')) as Axis | undefined;
  return {
    axis: axis ?? 'epoch',
    logarithmic: { x: logarithmic.includes('x'), y: logarithmic.includes('y') },
    smoothing: Math.min(numberIn(settings.get('smooth')) ?? 0, 0.99),
    from: numberIn(settings.get('from')),
    to: numberIn(settings.get('to')),
    all: settings.has('all'),
  };
}

interface ViewChoiceProps {
  readonly view: ChartView;
  readonly change: (changes: Readonly<Record<string, string | undefined>>) => void;
}

function ViewChoice({ view, change }: ViewChoiceProps) {
  const id = useId();
  const logarithm = (name: 'x' | 'y', on: boolean) =>
    (['x', 'y'] as const).filter((each) => (each === name ? on : view.logarithmic[each])).join(',') ||
    undefined;
  return (
    <div className="options view-choice">
      <div className="field">
        <label htmlFor={id}>x axis</label>
        <select
          id={id}
          value={view.axis}
          onChange={({ target }) =>
            change({
              axis: target.value === 'epoch' ? undefined : target.value,
              from: undefined,
              to: undefined,
            })
          }
        >
          {Object.entries(axes).map(([name, { title }]) => (
            <option key={name} value={name}>
              {title.toLowerCase()}
            </option>
          ))}
        </select>
      </div>
      {(['from', 'to'] as const).map((name) => (
        <div key={name} className="field">
          <label htmlFor={`${id}${name}`}>{name}</label>
          <input
            id={`${id}${name}`}
            type="number"
            min={0}
            step="any"
            defaultValue={view[name]}
            key={view.axis}
            onChange={({ target }) => change({ [name]: target.value || undefined })}
          />
        </div>
      ))}
      <div className="field">
        <label htmlFor={`${id}smooth`}>Smoothing of training: {view.smoothing}</label>
        <input
          id={`${id}smooth`}
          type="range"
          min={0}
          max={0.99}
          step={0.01}
          value={view.smoothing}
          onChange={({ target }) => change({ smooth: Number(target.value) === 0 ? undefined : target.value })}
        />
      </div>
      {(['x', 'y'] as const).map((name) => (
        <label key={name} className="check">
          <input
            type="checkbox"
            checked={view.logarithmic[name]}
            onChange={({ target }) => change({ log: logarithm(name, target.checked) })}
          />
          logarithmic {name}
        </label>
      ))}
      <label className="check">
        <input
          type="checkbox"
          checked={view.all}
          onChange={({ target }) => change({ all: target.checked ? 'yes' : undefined })}
        />
        show every value
      </label>
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
