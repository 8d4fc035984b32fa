/** Classifies an image with a model in the browser; nothing leaves the device. */
import { useCallback, useState } from 'react';
import { ImageDrop } from './image-drop.tsx';
import { InsideView } from './inside-view.tsx';
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
    // With another model, classify the current image again.
    if (image) ask({ kind: 'classify', image });
  };
  const canClassify = state.model !== undefined || state.loading !== undefined;
  const classifyImage = useCallback(
    (next: Blob) => {
      setImage(next);
      // While the model loads, the worker queues the image.
      if (canClassify) ask({ kind: 'classify', image: next });
    },
    [ask, canClassify],
  );
  return (
    <div className="classify">
      <h1>Classify</h1>
      <p className="lead">
        The network runs in this page on ONNX Runtime, and the image is preprocessed by the same code as in
        training and evaluation.
      </p>
      <ModelChooser state={state} load={load} />
      <section className="card" aria-labelledby="image">
        <h2 id="image">Image</h2>
        <ImageDrop take={classifyImage} />
        {image && !canClassify && <p role="status">Choose a model to classify this image.</p>}
        {state.error && state.error.during !== 'load' && <p role="alert">{state.error.message}</p>}
        {state.classifying && <p role="status">Classifying…</p>}
        {state.model && state.result && <ResultView state={state} result={state.result} ask={ask} />}
      </section>
      {state.model && state.result && <InsideView key={state.model.name} state={state} ask={ask} />}
    </div>
  );
}
