/** An image and a model, both on this device: nothing is sent anywhere. */
import { useCallback, useState } from 'react';
import { ImageDrop } from './image-drop.tsx';
import type { ModelSource } from './messages.ts';
import { ModelChooser } from './model-chooser.tsx';
import { ResultView } from './result-view.tsx';
import { useClassifier } from './use-classifier.ts';
import './classify.css';

export default function ClassifyPage() {
  const { state, ask } = useClassifier();
  const [image, setImage] = useState<Blob>();
  const load = (source: ModelSource) => {
    ask({ kind: 'load', source });
    // Whoever tries another model wants to see the same image.
    if (image) ask({ kind: 'classify', image });
  };
  const canClassify = state.model !== undefined || state.loading !== undefined;
  const take = useCallback(
    (next: Blob) => {
      setImage(next);
      // While a model loads, its first image waits for it.
      if (canClassify) ask({ kind: 'classify', image: next });
    },
    [ask, canClassify],
  );
  return (
    <div className="classify">
      <h1>Classify</h1>
      <p className="lead">
        The network runs in this page, by ONNX Runtime; the image is prepared by the code that trains and
        evaluates.
      </p>
      <ModelChooser state={state} load={load} />
      <section className="card" aria-labelledby="image">
        <h2 id="image">Image</h2>
        <ImageDrop take={take} />
        {image && !canClassify && <p role="status">The image is here; choose a model to classify it.</p>}
        {state.error && state.error.during !== 'load' && <p role="alert">{state.error.message}</p>}
        {state.classifying && <p role="status">Classifying…</p>}
        {state.model && state.result && <ResultView state={state} result={state.result} ask={ask} />}
      </section>
    </div>
  );
}
