/** Labels of a run's data that are probably wrong: images of which the network, or a classifier that has not seen them, is sure that they are something else. */
import { percent } from '../format.ts';
import { fetchLabels } from './api.ts';
import { useRecord } from './use-record.ts';

export function LabelsView({ id, version }: { id: string; version: number }) {
  const { record, problem } = useRecord(fetchLabels, { id, version });
  if (problem !== undefined) return <p className="quiet">{problem}</p>;
  if (!record) return null;
  const { classes, found, images, crossValidated = false } = record;
  const judge = crossValidated
    ? "A classifier on the network's features that has not seen the image (cross-validated)"
    : 'The network (not cross-validated: it may have learnt labels by heart)';
  return (
    <div>
      <h3 id="labels">Labels that are probably wrong</h3>
      <p className="quiet">
        {found === 0
          ? `${judge} is sure of no other label.`
          : `${judge} is sure of another label for ${found} ${found === 1 ? 'image' : 'images'}${images.length < found ? `; the surest ${images.length}` : ''}.`}
      </p>
      <ul className="mistakes" aria-labelledby="labels">
        {images.map(({ file, label, predicted, probability, trainedOn, image }) => (
          <li key={file} title={file}>
            <img src={`data:image/png;base64,${image}`} alt={file} width="96" height="96" />
            <span className="wrong">
              {classes[predicted]} {percent(probability, 0)}
            </span>
            <span className="quiet">
              label: {classes[label]}
              {trainedOn && !crossValidated ? ', trained on' : ''}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
