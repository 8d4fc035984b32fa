/** The model as a file, and the lines that use it. */
import { useEffect, useId, useRef, useState } from 'react';
import { Code } from '../code.tsx';
import { bytes } from '../format.ts';
import type { Request } from './messages.ts';
import type { Teaching } from './teaching.ts';

interface TakeProps {
  readonly state: Teaching;
  readonly ask: (request: Request) => void;
}

export function TakeView({ state: { written, writing, error, model, outcome, revision }, ask }: TakeProps) {
  const [name, setName] = useState('taught');
  const field = useId();
  const file = `${name.trim().replace(/[^\p{L}\p{N}._-]+/gu, '-') || 'taught'}.onnx`;
  const latest = useRef(file);
  latest.current = file;
  useEffect(() => {
    if (!written) return;
    const url = URL.createObjectURL(written);
    // A new name alone is no reason to save again.
    const link = Object.assign(document.createElement('a'), { href: url, download: latest.current });
    link.click();
    // The browser has begun to read by then.
    const later = setTimeout(() => URL.revokeObjectURL(url), 60_000);
    return () => clearTimeout(later);
  }, [written]);
  return (
    <section className="card" aria-labelledby="take">
      <h2 id="take">Take it away</h2>
      <p>
        One file with the network, its classes and its preprocessing. It runs here on the Classify page, in
        Node.js, in Python and wherever ONNX Runtime runs.
        {outcome?.revision !== revision && ' It is what was learnt before the last changes.'}
      </p>
      <div className="options">
        <div className="field">
          <label htmlFor={field}>Name</label>
          <input
            id={field}
            type="text"
            value={name}
            maxLength={100}
            onChange={({ target }) => setName(target.value)}
          />
        </div>
        <button type="button" className="main" disabled={writing} onClick={() => ask({ kind: 'write' })}>
          {writing ? 'Writing…' : `Save ${file}`}
        </button>
      </div>
      {error?.during === 'write' && <p role="alert">{error.message}</p>}
      {written && (
        <p role="status">
          {bytes(written.size)}, compared with this page on an image.
          {model?.precision === 'int8' && ' The network is in int8, its new classifier in float32.'}
        </p>
      )}
      <h3>In TypeScript</h3>
      <Code
        name="TypeScript"
        text={`import { loadClassifier } from 'inception-networks';\n\nconst classifier = await loadClassifier('${file}');\nconst [best] = await classifier.classify('photo.jpg');\nconsole.log(best.label, best.probability);`}
      />
      <h3>On the command line, and as a server</h3>
      <Code
        name="the command line"
        text={`inception classify photo.jpg --model ${file}\ninception serve ${file}\ncurl -F image=@photo.jpg http://127.0.0.1:8000/classify`}
      />
    </section>
  );
}
