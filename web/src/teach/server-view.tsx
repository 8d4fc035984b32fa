/** Trains on the dashboard's machine instead of in the page: a run as the command line makes it, with live curves. */
import { useEffect, useId, useState } from 'react';
import type { TeachStarted, WeightsList } from '../../../src/dashboard/api.ts';
import { send, usePermission } from '../control.ts';
import { addressOf } from '../location.ts';
import { obstacle, type TaughtImage, type Teaching } from './teaching.ts';

const hub = 'hub';

export function ServerView({ state }: { state: Teaching }) {
  const permission = usePermission();
  if (permission === 'unknown' || permission === 'no server') return null;
  return (
    <section className="card" aria-labelledby="server">
      <h2 id="server">Train on the dashboard's machine</h2>
      {permission === 'may train' ? (
        <Form state={state} />
      ) : (
        <p className="quiet">
          {permission === 'reads'
            ? 'Started with --allow-training, the dashboard can train a run on these images: a probe of any weights, or a fine-tuning with live curves.'
            : 'Open the address that the dashboard printed: it carries the permission to train.'}
        </p>
      )}
    </section>
  );
}

function Form({ state }: { state: Teaching }) {
  const ids = { weights: useId(), hub: useId(), method: useId(), name: useId() };
  const [known, setKnown] = useState<WeightsList['weights']>();
  const [weights, setWeights] = useState('');
  const [repository, setRepository] = useState('');
  const [method, setMethod] = useState('fine-tune');
  const [name, setName] = useState('taught');
  const [sent, setSent] = useState<{ readonly done: number; readonly of: number } | 'starting'>();
  const [started, setStarted] = useState<string>();
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    send<WeightsList>('weights', { method: 'GET' })
      .then(({ weights: list }) => {
        setKnown(list);
        setWeights(list[0]?.id ?? hub);
      })
      .catch((error: Error) => setProblem(error.message));
  }, []);
  const train = async () => {
    setProblem(undefined);
    setStarted(undefined);
    try {
      await upload(state, name, (done, of) => setSent({ done, of }));
      setSent('starting');
      const { run } = await send<TeachStarted>(`teach/${encodeURIComponent(name)}`, {
        method: 'POST',
        body: { method, weights: weights === hub ? { hub: repository.trim() } : { id: weights } },
      });
      setStarted(run);
    } catch (error) {
      setProblem((error as Error).message);
      // What was sent is taken back, so that the name can be used again.
      await send(`teach/${encodeURIComponent(name)}`, { method: 'DELETE' }).catch(() => undefined);
    } finally {
      setSent(undefined);
    }
  };
  const inTheWay = obstacle({ ...state, loading: 'starting' });
  return (
    <>
      <p>
        The images are sent to the dashboard, stay there under <code>.taught</code> in its folder of runs, and
        are trained on as by <code>inception train --weights</code>, with a fifth of them to validate on.
      </p>
      <div className="options">
        <div className="field">
          <label htmlFor={ids.weights}>Weights to start from</label>
          <select id={ids.weights} value={weights} onChange={({ target }) => setWeights(target.value)}>
            {known?.map((each) => (
              <option key={each.id} value={each.id}>
                {each.name}
              </option>
            ))}
            <option value={hub}>of the hub…</option>
          </select>
        </div>
        {weights === hub && (
          <div className="field">
            <label htmlFor={ids.hub}>Repository of the hub</label>
            <input
              id={ids.hub}
              type="text"
              placeholder="timm/inception_v4.tf_in1k"
              value={repository}
              onChange={({ target }) => setRepository(target.value)}
            />
          </div>
        )}
        <div className="field">
          <label htmlFor={ids.method}>What is trained</label>
          <select id={ids.method} value={method} onChange={({ target }) => setMethod(target.value)}>
            <option value="fine-tune">everything (fine-tuning)</option>
            <option value="probe">the classifier alone (probe)</option>
          </select>
        </div>
        <div className="field">
          <label htmlFor={ids.name}>Name of the run</label>
          <input
            id={ids.name}
            type="text"
            maxLength={100}
            value={name}
            onChange={({ target }) => setName(target.value)}
          />
        </div>
        <button
          type="button"
          disabled={
            sent !== undefined || inTheWay !== undefined || (weights === hub && repository.trim() === '')
          }
          onClick={() => void train()}
        >
          Send and train
        </button>
      </div>
      {inTheWay !== undefined && <p className="quiet">{inTheWay}</p>}
      {sent !== undefined && (
        <p role="status" className="progress">
          {sent === 'starting' ? (
            'Starting the training…'
          ) : (
            <>
              <progress value={sent.done} max={sent.of} aria-label="Images sent" /> {sent.done} of {sent.of}{' '}
              images sent
            </>
          )}
        </p>
      )}
      {problem !== undefined && <p role="alert">{problem}</p>}
      {started !== undefined && (
        <p role="status">
          The run <a href={addressOf('runs', new URLSearchParams({ run: started }))}>{started}</a> has begun.
        </p>
      )}
    </>
  );
}

/** Endings by type; the server decodes what the file is, whatever its name. */
const endings: Readonly<Record<string, string>> = {
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/webp': 'webp',
  'image/gif': 'gif',
  'image/avif': 'avif',
};

/** Images that the page could not decode are not sent. */
async function upload(
  { classes, images }: Teaching,
  name: string,
  onSent: (done: number, of: number) => void,
): Promise<void> {
  const folder = new Map(classes.map((each) => [each.id, each.name.trim()]));
  const usable = images.filter(({ problem }) => problem === undefined);
  onSent(0, usable.length);
  for (const [index, image] of usable.entries()) {
    const path = [name, folder.get(image.classId) ?? '', fileName(image, index)];
    await send(`teach/${path.map(encodeURIComponent).join('/')}`, {
      method: 'PUT',
      // Without a type of its own, which would be sent as that of the request.
      body: new Blob([image.file]),
    });
    onSent(index + 1, usable.length);
  }
}

const fileName = ({ file }: TaughtImage, index: number): string => `${index}.${endings[file.type] ?? 'jpg'}`;
