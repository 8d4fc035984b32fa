/** Chooses a model: from the dashboard's folders or any local file. */
import { useEffect, useId, useState } from 'react';
import type { ModelFile } from '../../../src/dashboard/api.ts';
import { describeProtocol } from '../../../src/images/preprocess.ts';
import { bytes, milliseconds } from '../format.ts';
import { fetchJson } from '../runs/api.ts';
import type { LoadedModel, ModelSource } from './messages.ts';
import { cachedBytes, clearCache } from './model-file.ts';
import type { ClassifierState } from './use-classifier.ts';

interface ChooserProps {
  readonly state: Pick<ClassifierState, 'model' | 'loading' | 'error'>;
  readonly load: (source: ModelSource) => void;
}

export function ModelChooser({ state, load }: ChooserProps) {
  const [models, setModels] = useState<readonly ModelFile[]>();
  useEffect(() => {
    const controller = new AbortController();
    fetchJson<{ models: ModelFile[] }>('models', controller.signal)
      .then((response) => setModels(response?.models ?? []))
      // On a static web host there is no list; local files still work.
      .catch(() => controller.signal.aborted || setModels([]));
    return () => controller.abort();
  }, []);
  return (
    <section className="card" aria-labelledby="model">
      <h2 id="model">Model</h2>
      {models && <Choice models={models} load={load} />}
      {models?.length === 0 && (
        <p className="quiet">
          No models next to the runs yet. <code>inception export RUN -o RUN/model.onnx</code> creates one.
        </p>
      )}
      <Progress loading={state.loading} />
      {state.error?.during === 'load' && <p role="alert">{state.error.message}</p>}
      {state.model && <About model={state.model} />}
    </section>
  );
}

function Choice({ models, load }: { models: readonly ModelFile[]; load: (source: ModelSource) => void }) {
  const select = useId();
  const file = useId();
  const choose = (id: string) => {
    const model = models.find((candidate) => candidate.id === id);
    // Absolute, because the worker has a different base URL.
    const url = new URL(`./api/models/${id}`, document.baseURI).href;
    if (model) load({ kind: 'server', url, ...model });
  };
  return (
    <div className="options">
      {models.length > 0 && (
        <div className="field">
          <label htmlFor={select}>From the dashboard</label>
          <select id={select} defaultValue="" onChange={({ target }) => choose(target.value)}>
            <option value="" disabled>
              Choose a model…
            </option>
            {models.map((model) => (
              <option key={model.id} value={model.id}>
                {model.name} ({bytes(model.bytes)})
              </option>
            ))}
          </select>
        </div>
      )}
      <div className="field">
        <label htmlFor={file}>From this device</label>
        <input
          id={file}
          type="file"
          accept=".onnx"
          onChange={({ target }) => target.files?.[0] && load({ kind: 'file', file: target.files[0] })}
        />
      </div>
    </div>
  );
}

function Progress({ loading }: { loading: ClassifierState['loading'] }) {
  if (loading === undefined) return null;
  if (loading === 'starting') return <p role="status">Opening the model…</p>;
  const { done, total } = loading;
  return (
    <p role="status" className="progress">
      <progress value={done} max={total} aria-label="Download" />
      {total > 1 && `${bytes(done)} of ${bytes(total)}`}
    </p>
  );
}

function About({ model }: { model: LoadedModel }) {
  const { description, backend, precision } = model;
  const [cachedSize, setKept] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: loading a model may have changed the cache
  useEffect(() => {
    cachedBytes().then(setKept, () => undefined);
  }, [model]);
  return (
    <>
      <dl className="facts" aria-label="The loaded model">
        <dt>Runs on</dt>
        <dd>
          <strong>
            {backend.name}
            {backend.name === 'WebAssembly' &&
              `, ${backend.threads} ${backend.threads === 1 ? 'thread' : 'threads'}`}
          </strong>
          {backend.reason && <span className="quiet"> ({backend.reason})</span>}
        </dd>
        <dt>Model</dt>
        <dd>
          {description.network}, {description.classes.length} classes
          {precision && `, ${precision}`}, {bytes(model.bytes)}
        </dd>
        <dt>Preprocessing</dt>
        <dd>{describeProtocol(description.preprocessing)}</dd>
        <dt>Loaded</dt>
        <dd>
          in {milliseconds(model.loadMs)}, {model.cached ? "from the browser's cache" : 'not cached'}
          {model.checked && ', SHA-256 verified'}
        </dd>
      </dl>
      {cachedSize > 0 && (
        <button type="button" onClick={() => void clearCache().then(() => setKept(0))}>
          Clear cache ({bytes(cachedSize)})
        </button>
      )}
    </>
  );
}
