/** Mistakes of a run's last evaluation: the confusion matrix, the scores of each class and the most confident errors. */
import { classScores, worstClasses } from '../../../src/evaluate/class-scores.ts';
import type { EvaluationRecord } from '../../../src/train/run/records.ts';
import { Confusion, maxClasses } from '../confusion.tsx';
import { grouped, percent } from '../format.ts';
import { fetchEvaluation } from './api.ts';
import { useRecord } from './use-record.ts';

export function EvaluationView({ id, version }: { id: string; version: number }) {
  const { record, problem } = useRecord(fetchEvaluation, {
    id,
    version,
    isSame: (previous, next) => previous.step === next.step,
  });
  if (problem !== undefined) return <p className="quiet">{problem}</p>;
  if (!record) return <p className="quiet">{id} has no evaluation yet; the first follows the first epoch.</p>;
  return (
    <>
      <p className="quiet">
        {id}, evaluated{record.split ? ` on the ${record.split} images` : ''} after{' '}
        {Number(record.epoch.toFixed(2))} epochs ({record.step} steps)
      </p>
      <div className="evaluation">
        <div>
          <Confusion record={record} />
          <ClassScoresTable record={record} />
        </div>
        <Mistakes record={record} />
      </div>
    </>
  );
}

/** From the confusion, which runs of earlier versions have as well. */
function ClassScoresTable({ record: { classes, confusion } }: { record: EvaluationRecord }) {
  if (confusion.length === 0) return null;
  const { perClass, balancedAccuracy, macroF1 } = classScores(confusion);
  const shown = perClass.length <= maxClasses ? perClass : worstClasses(perClass, maxClasses);
  const undefinedFor = (fraction: 'precision' | 'recall') =>
    perClass.filter((each) => each[fraction] === null).length;
  const share = (fraction: number | null) => (fraction === null ? '–' : percent(fraction, 1));
  const notes = [
    shown.length < perClass.length &&
      `The ${shown.length} classes with the lowest F1 of ${grouped(perClass.length)}.`,
    undefinedFor('precision') > 0 &&
      `Never predicted, and without precision (–): ${undefinedFor('precision')}.`,
    undefinedFor('recall') > 0 &&
      `Without images, recall (–) and part in balanced accuracy: ${undefinedFor('recall')}.`,
  ].filter((note) => note !== false);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be focusable by keyboard
    <section className="scroller" tabIndex={0} aria-label="Scores of each class">
      <table className="class-scores">
        <caption>
          Scores of each class: balanced accuracy {percent(balancedAccuracy)}, macro F1 {percent(macroF1)}
        </caption>
        <thead>
          <tr>
            <th scope="col">Class</th>
            {['Images', 'Predicted', 'Precision', 'Recall', 'F1'].map((name) => (
              <th key={name} scope="col" className="number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map(({ class: index, images, predicted, precision, recall, f1 }) => (
            <tr key={index}>
              <th scope="row">{classes[index]}</th>
              <td className="number">{grouped(images)}</td>
              <td className="number">{grouped(predicted)}</td>
              <td className="number">{share(precision)}</td>
              <td className="number">{share(recall)}</td>
              <td className="number">{share(f1)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {notes.length > 0 && <p className="quiet">{notes.join(' ')}</p>}
    </section>
  );
}

function Mistakes({ record: { classes, mistakes } }: { record: EvaluationRecord }) {
  if (mistakes.length === 0) return <p>No mistakes in this evaluation.</p>;
  return (
    <div>
      <h3 id="mistakes">Most confident mistakes</h3>
      <ul className="mistakes" aria-labelledby="mistakes">
        {mistakes.map(({ index, label, predicted, probability, image }) => (
          <li key={index}>
            <img
              src={`data:image/png;base64,${image}`}
              alt={`${classes[label]}, number ${index}`}
              width="96"
              height="96"
            />
            <span className="wrong">
              {classes[predicted]} {percent(probability, 0)}
            </span>
            <span className="quiet">label: {classes[label]}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
