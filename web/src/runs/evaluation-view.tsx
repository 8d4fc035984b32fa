/** What a run's last evaluation got wrong: the confusion matrix and the surest mistakes. */
import { useEffect, useState } from 'react';
import type { EvaluationRecord } from '../../../src/train/records.ts';
import { percent } from '../format.ts';
import { fetchEvaluation } from './api.ts';

export function EvaluationView({ id, version }: { id: string; version: number }) {
  const [record, setRecord] = useState<EvaluationRecord>();
  // biome-ignore lint/correctness/useExhaustiveDependencies: every version may have a new evaluation
  useEffect(() => {
    const ended = new AbortController();
    fetchEvaluation(id, ended.signal)
      .then((next) =>
        // The same evaluation, told again, leaves the page as it is.
        setRecord((before) => (before && next && before.step === next.step ? before : next)),
      )
      .catch(() => undefined);
    return () => ended.abort();
  }, [id, version]);
  if (!record) return <p className="quiet">{id} has no evaluation yet; the first comes after an epoch.</p>;
  return (
    <>
      <p className="quiet">
        {id}, evaluated after {Number(record.epoch.toFixed(2))} epochs ({record.step} steps)
      </p>
      <div className="evaluation">
        <Confusion record={record} />
        <Mistakes record={record} />
      </div>
    </>
  );
}

/** More classes than this make a table that nobody can read; then the most frequent confusions are listed. */
const widest = 20;

function Confusion({ record: { classes, confusion } }: { record: EvaluationRecord }) {
  if (classes.length > widest) return <CommonConfusions classes={classes} confusion={confusion} />;
  const count = new Map(confusion.map(([label, predicted, images]) => [`${label} ${predicted}`, images]));
  const rows = classes.map((_, label) =>
    classes.map((_, predicted) => count.get(`${label} ${predicted}`) ?? 0),
  );
  const most = Math.max(
    1,
    ...rows.flatMap((row, label) => row.filter((_, predicted) => predicted !== label)),
  );
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by the keyboard
    <section className="scroller" tabIndex={0} aria-label="Confusion matrix">
      <table className="confusion">
        <caption>Confusion matrix: rows are labels, columns predictions, in images</caption>
        <thead>
          <tr>
            <td />
            {classes.map((name) => (
              <th key={name} scope="col">
                <span>{name}</span>
              </th>
            ))}
            <th scope="col" className="number">
              Error
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, label) => {
            const total = row.reduce((sum, images) => sum + images, 0);
            const right = row[label] ?? 0;
            return (
              <tr key={classes[label]}>
                <th scope="row">{classes[label]}</th>
                {row.map((images, predicted) => {
                  const share = predicted === label ? images / Math.max(1, total) : images / most;
                  return (
                    <td
                      key={classes[predicted]}
                      className={predicted === label ? 'right' : 'wrong'}
                      style={{ '--share': share } as React.CSSProperties}
                    >
                      {images || <span className="quiet">·</span>}
                    </td>
                  );
                })}
                <td className="number">{total === 0 ? '–' : percent(1 - right / total, 1)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

function CommonConfusions({ classes, confusion }: Pick<EvaluationRecord, 'classes' | 'confusion'>) {
  const wrong = confusion
    .filter(([label, predicted]) => label !== predicted)
    .sort((a, b) => b[2] - a[2])
    .slice(0, widest);
  return (
    <table>
      <caption>The most frequent confusions</caption>
      <thead>
        <tr>
          <th scope="col">Label</th>
          <th scope="col">Taken for</th>
          <th scope="col" className="number">
            Images
          </th>
        </tr>
      </thead>
      <tbody>
        {wrong.map(([label, predicted, images]) => (
          <tr key={`${label} ${predicted}`}>
            <th scope="row">{classes[label]}</th>
            <td>{classes[predicted]}</td>
            <td className="number">{images}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Mistakes({ record: { classes, mistakes } }: { record: EvaluationRecord }) {
  if (mistakes.length === 0) return <p>No mistake in this evaluation.</p>;
  return (
    <div>
      <h3 id="mistakes">The surest mistakes</h3>
      <ul className="mistakes" aria-labelledby="mistakes">
        {mistakes.map(({ index, label, predicted, probability, image }) => (
          <li key={index}>
            <img
              src={`data:image/png;base64,${image}`}
              alt={`Number ${index} of the test data: ${classes[label]}`}
              width="96"
              height="96"
            />
            <span className="wrong">
              {classes[predicted]} {percent(probability, 0)}
            </span>
            <span className="quiet">is {classes[label]}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
