/** A confusion matrix as a table; of many classes, the most frequent confusions. */
import type { EvaluationRecord } from '../../src/train/run/records.ts';
import { percent } from './format.ts';
import './confusion.css';

type Counts = Pick<EvaluationRecord, 'classes' | 'confusion'>;

/** With more classes a matrix is unreadable, and the most frequent confusions are listed instead. */
export const maxClasses = 20;

export function Confusion({ record: { classes, confusion } }: { record: Counts }) {
  if (classes.length > maxClasses) return <CommonConfusions classes={classes} confusion={confusion} />;
  const count = new Map(confusion.map(([label, predicted, images]) => [`${label} ${predicted}`, images]));
  const rows = classes.map((_, label) =>
    classes.map((_, predicted) => count.get(`${label} ${predicted}`) ?? 0),
  );
  const maximum = Math.max(
    1,
    ...rows.flatMap((row, label) => row.filter((_, predicted) => predicted !== label)),
  );
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be focusable by keyboard
    <section className="scroller" tabIndex={0} aria-label="Confusion matrix">
      <table className="confusion">
        <caption>Confusion matrix (rows: labels, columns: predictions), number of images</caption>
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
            const correct = row[label] ?? 0;
            return (
              <tr key={classes[label]}>
                <th scope="row">{classes[label]}</th>
                {row.map((images, predicted) => {
                  const fraction = predicted === label ? images / Math.max(1, total) : images / maximum;
                  return (
                    <td
                      key={classes[predicted]}
                      className={predicted === label ? 'right' : 'wrong'}
                      style={{ '--share': fraction } as React.CSSProperties}
                    >
                      {images || <span className="quiet">·</span>}
                    </td>
                  );
                })}
                <td className="number">{total === 0 ? '–' : percent(1 - correct / total, 1)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

function CommonConfusions({ classes, confusion }: Counts) {
  const wrong = confusion
    .filter(([label, predicted]) => label !== predicted)
    .sort((a, b) => b[2] - a[2])
    .slice(0, maxClasses);
  return (
    <table>
      <caption>Most frequent confusions</caption>
      <thead>
        <tr>
          <th scope="col">Label</th>
          <th scope="col">Predicted</th>
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
