/** Costs in numbers: of the network compared with its drawn form, and of every step of a level. */
import { type Costs, costsOf } from '../../../src/graph/costs.ts';
import { formatShape, type Graph } from '../../../src/graph/graph.ts';
import { grouped, percent, short } from '../format.ts';
import type { Level, Step } from './level.ts';

const costNames = [
  ['parameters', 'Parameters'],
  ['macs', 'Multiply-adds'],
  ['activations', 'Activations'],
] as const satisfies readonly (readonly [keyof Costs, string])[];

export function CostTiles({ graph, drawn }: { graph: Graph; drawn: Graph }) {
  const [costs, original] = [costsOf(graph), costsOf(drawn)];
  const { published } = graph.network;
  // Scales and dropout change no cost, but the errors are not those of a network that has other ones.
  const isAsDrawn = JSON.stringify(graph.network) === JSON.stringify(drawn.network);
  return (
    <dl className="tiles" aria-live="polite" aria-label={`Costs of ${graph.network.name}`}>
      {costNames.map(([name, title]) => (
        <div key={name}>
          <dt>{title}</dt>
          <dd title={grouped(costs[name])}>{short(costs[name])}</dd>
          <dd className="quiet">
            {costs[name] === original[name]
              ? grouped(costs[name])
              : `${percent(costs[name] / original[name], 0)} of the original`}
          </dd>
        </div>
      ))}
      {published && isAsDrawn && (
        <div>
          <dt>Published top-1 error</dt>
          <dd>{published.singleCrop[0].toFixed(1)}%</dd>
          <dd className="quiet">single crop, ImageNet</dd>
        </div>
      )}
    </dl>
  );
}

/** The name of a branch is shown on its first step only. */
const isSame = (step: Step, previous: Step | undefined): boolean =>
  previous?.branch?.path === step.branch?.path;

/** All digits where there is room. */
function Count({ value }: { value: number }) {
  if (value === 0) return '–';
  return (
    <>
      <span className="long">{grouped(value)}</span>
      <span className="brief">{short(value)}</span>
    </>
  );
}

interface StepTableProps {
  readonly level: Level;
  readonly addressOf: (path: string) => string;
}

export function StepTable({ level, addressOf }: StepTableProps) {
  const maxMacs = Math.max(1, ...level.steps.map(({ macs }) => macs));
  const grouping = level.steps.some(({ branch }) => branch !== undefined);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be focusable by keyboard
    <section className="scroller" tabIndex={0} aria-label={`Steps of ${level.title}`}>
      <table>
        <thead>
          <tr>
            {grouping && <th scope="col">Branch</th>}
            <th scope="col">Step</th>
            <th scope="col">Output</th>
            <th scope="col" className="number">
              Parameters
            </th>
            <th scope="col" className="number">
              Multiply-adds
            </th>
          </tr>
        </thead>
        <tbody>
          {level.steps.map((step, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: operations inside a layer have no name
            <tr key={index}>
              {grouping && (
                <td>
                  {step.branch && !isSame(step, level.steps[index - 1]) && (
                    <a href={addressOf(step.branch.path)}>{step.branch.title}</a>
                  )}
                </td>
              )}
              <th scope="row">{step.path ? <a href={addressOf(step.path)}>{step.title}</a> : step.title}</th>
              <td>{formatShape(step.shape)}</td>
              <td className="number">
                <Count value={step.parameters} />
              </td>
              <td className="number bar" style={{ '--share': step.macs / maxMacs } as React.CSSProperties}>
                <Count value={step.macs} />
              </td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            {grouping && <td />}
            <th scope="row">Total</th>
            <td>{formatShape(level.output)}</td>
            <td className="number">
              <Count value={level.costs.parameters} />
            </td>
            <td className="number">
              <Count value={level.costs.macs} />
            </td>
          </tr>
        </tfoot>
      </table>
    </section>
  );
}
