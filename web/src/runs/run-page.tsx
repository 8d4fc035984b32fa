/** The page of one run: what it is, how far it is, what differs from its recipe, and its curves. */
import { useMemo } from 'react';
import type { AboutRun, RunSummary, SettingOfRun } from '../../../src/dashboard/api.ts';
import { Code } from '../code.tsx';
import { bytes, duration, grouped, percent } from '../format.ts';
import { addressOf } from '../location.ts';
import { useTheme } from '../theme.ts';
import { fetchAbout } from './api.ts';
import { Chart, ZoomReset } from './chart.tsx';
import { blockCharts, charts, remarksOf } from './chart-specs.ts';
import { type ChartView, lookOf } from './curves.ts';
import { EvaluationView } from './evaluation-view.tsx';
import { LabelsView } from './labels-view.tsx';
import { describeNetwork, statusOf } from './list.ts';
import { NotesView } from './notes-view.tsx';
import { RunControl } from './run-control.tsx';
import { useRecord } from './use-record.ts';
import { useLines } from './use-runs.ts';

interface RunPageProps {
  readonly run: RunSummary;
  readonly version: number;
  readonly view: ChartView;
  readonly zoom: (from: number, to: number) => void;
  readonly showAll: () => void;
}

export function RunPage({ run, version, view, zoom, showAll }: RunPageProps) {
  const { id } = run;
  const { record: about, problem } = useRecord(fetchAbout, { id, version });
  const ids = useMemo(() => [id], [id]);
  const lines = useLines(ids, version).get(id);
  const theme = useTheme();
  const curves = useMemo(
    () => [{ id, ...lookOf(0, theme), runs: [lines?.metrics ?? []] }],
    [id, theme, lines],
  );
  const specs = useMemo(() => [...charts, ...blockCharts(lines?.metrics ?? [])], [lines]);
  const remarks = remarksOf(lines?.metrics ?? []);
  return (
    <>
      {[problem, lines?.problem].map((text) => text !== undefined && <p key={text}>{text}</p>)}
      <section aria-label="Facts" className="card">
        <dl className="facts">
          {factsOf(run, about).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
          <div>
            <dt>Network</dt>
            <dd>
              {describeNetwork(run)}, <a href={diagramOf(run)}>drawn with its default options</a>
            </dd>
          </div>
        </dl>
        <RunControl run={run} />
      </section>
      <NotesView key={`notes of ${id}`} id={id} version={version} />
      <ZoomReset view={view} showAll={showAll} />
      <div className="charts">
        {specs.map((spec) => (
          <Chart key={spec.title} spec={spec} runs={curves} view={view} zoom={zoom} />
        ))}
      </div>
      {remarks.length > 0 && <Remarks remarks={remarks} />}
      {about && <Configuration about={about} />}
      {about && <Repeat about={about} />}
      {about && about.checkpoints.length > 0 && <Checkpoints about={about} />}
      <section aria-labelledby="evaluation" className="card">
        <h2 id="evaluation">Mistakes</h2>
        <EvaluationView id={id} version={version} />
        <LabelsView id={id} version={version} />
      </section>
      {about?.card !== undefined && (
        <section aria-labelledby="model-card" className="card">
          <h2 id="model-card">Model card</h2>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be focusable by keyboard */}
          <pre className="model-card" tabIndex={0}>
            {about.card}
          </pre>
        </section>
      )}
    </>
  );
}

/** A training that goes wrong may warn for as long as it goes on. */
const mostRemarks = 20;

function Remarks({ remarks }: { remarks: ReturnType<typeof remarksOf> }) {
  return (
    <section aria-labelledby="remarks" className="card">
      <h2 id="remarks">Warnings</h2>
      <p className="quiet">
        Dashed lines in the charts.
        {remarks.length > mostRemarks && ` The last ${mostRemarks} of ${grouped(remarks.length)}:`}
      </p>
      <ul>
        {remarks.slice(-mostRemarks).map(({ step, epoch, text }) => (
          <li key={`${step} ${text}`}>
            {text}{' '}
            <span className="quiet">
              step {grouped(step)}, epoch {epoch.toFixed(1)}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** At the pace so far; undefined before the first step and after the end. */
export function secondsLeft({ training, epoch, epochs, elapsedSeconds }: RunSummary): number | undefined {
  return training && epoch > 0 && epoch < epochs ? (elapsedSeconds * (epochs - epoch)) / epoch : undefined;
}

function factsOf(run: RunSummary, about: AboutRun | undefined): (readonly [string, string])[] {
  const left = secondsLeft(run);
  const facts: (readonly [string, string] | false | undefined)[] = [
    ['Status', statusOf(run)],
    ['Epochs', `${run.epoch.toFixed(1)} of ${run.epochs}`],
    ['Training time', duration(run.elapsedSeconds)],
    left !== undefined && ['Time left, at the pace so far', duration(left)],
    run.evaluation && ['Validation error', percent(run.evaluation.top1Error)],
    run.test && ['Test error', percent(run.test.top1Error)],
    ['Data', run.data],
    ['Classes', grouped(run.classes)],
    ...Object.entries(about?.images ?? {}).map(
      ([split, images]) => [`Images, ${split}`, grouped(images)] as const,
    ),
    about?.machine && [
      'Machine',
      `${about.machine.hardware}, ${about.machine.cores} cores, ${gibibytes(about.machine.memoryBytes)}, ${about.machine.system}`,
    ],
    ...Object.entries(about?.versions ?? {}).map(
      ([name, version]) => [`Version of ${name}`, version] as const,
    ),
  ];
  return facts.filter((fact) => fact !== undefined && fact !== false);
}

const gibibytes = (size: number): string => `${(size / 2 ** 30).toFixed(0)} GiB`;

/** The network by its name; the page Networks has controls for its options. */
const diagramOf = ({ network }: RunSummary) => addressOf('networks', new URLSearchParams({ network }));

function Configuration({ about: { recipe, settings, decisions } }: { about: AboutRun }) {
  const name = recipe.find((setting) => setting.name === 'name')?.value;
  const marked = recipe.filter(({ usual }) => usual !== undefined).length;
  return (
    <section aria-labelledby="configuration" className="card">
      <h2 id="configuration">Configuration</h2>
      <p>
        {marked === 0
          ? `As the recipe ${name} for this batch.`
          : `${marked} of ${recipe.length} settings differ from the recipe ${name}, whose learning rate is that for this batch; they come first.`}
      </p>
      <SettingTable caption="Recipe" settings={recipe.toSorted((a, b) => rank(a) - rank(b))} />
      <SettingTable caption="Besides the recipe" settings={settings} />
      {decisions.length > 0 && (
        <>
          <h3>Decided by the program</h3>
          <ul>
            {decisions.map((decision) => (
              <li key={decision}>{decision}</li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function Repeat({ about: { repeat } }: { about: AboutRun }) {
  return (
    <section aria-labelledby="repeat" className="card">
      <h2 id="repeat">To train the same again</h2>
      <Code name="the command" text={repeat.command} />
      <ul className="quiet">
        {repeat.remarks.map((remark) => (
          <li key={remark}>{remark}</li>
        ))}
      </ul>
    </section>
  );
}

const rank = ({ usual }: SettingOfRun) => (usual === undefined ? 1 : 0);

function SettingTable({ caption, settings }: { caption: string; settings: readonly SettingOfRun[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be focusable by keyboard
    <section className="scroller" tabIndex={0} aria-label={caption}>
      <table className="settings">
        <caption>{caption}</caption>
        <tbody>
          {settings.map(({ name, value, usual }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>
                {usual === undefined ? value : <strong>{value}</strong>}
                {usual !== undefined && <span className="quiet"> recipe: {usual}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Checkpoints({ about: { checkpoints } }: { about: AboutRun }) {
  return (
    <section aria-labelledby="checkpoints" className="card">
      <h2 id="checkpoints">Weights</h2>
      <ul>
        {checkpoints.map(({ name, bytes: size, changed }) => (
          <li key={name}>
            {name}{' '}
            <span className="quiet">
              {bytes(size)}, {new Date(changed).toLocaleString()}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
