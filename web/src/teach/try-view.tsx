/** Tries what was learnt: on an image, or on what the camera sees. */
import { useEffect, useRef, useState } from 'react';
import { Bars } from '../classify/bars.tsx';
import { ImageDrop } from '../classify/image-drop.tsx';
import { milliseconds, percent } from '../format.ts';
import { CameraView } from './camera-view.tsx';
import type { Outcome, Request } from './messages.ts';
import type { Teaching } from './teaching.ts';

interface TryProps {
  readonly state: Teaching;
  readonly outcome: Outcome;
  readonly ask: (request: Request) => void;
}

export function TryView({ state, outcome: { classes }, ask }: TryProps) {
  const [isLive, setLive] = useState(false);
  const [shown, setShown] = useState<string>();
  const { guess, trying, error } = state;
  const take = (image: Blob) => {
    setShown((before) => {
      if (before !== undefined) URL.revokeObjectURL(before);
      return URL.createObjectURL(image);
    });
    ask({ kind: 'try', image });
  };
  const ranked = (guess?.probabilities ?? [])
    .map((probability, label) => ({ label, probability }))
    .sort((a, b) => b.probability - a.probability);
  const [best] = ranked;
  return (
    <section className="card" aria-labelledby="try">
      <h2 id="try">Try it</h2>
      <ImageDrop take={take} />
      {!isLive && (
        <button type="button" className="live" onClick={() => setLive(true)}>
          Watch through the camera
        </button>
      )}
      {isLive && (
        <CameraView about="trying" close={() => setLive(false)}>
          {(photograph, ready) => <Live {...{ photograph, ready, trying, take }} />}
        </CameraView>
      )}
      {error?.during === 'try' && <p role="alert">{error.message}</p>}
      {trying && !guess && <p role="status">Looking…</p>}
      {best && guess && (
        <div className="result">
          {shown !== undefined && !isLive ? <img src={shown} alt="What was tried" /> : <span />}
          <div>
            <p className="answer" role="status">
              {classes[best.label]} <span className="quiet">{percent(best.probability, 1)}</span>
            </p>
            <Bars name="Probabilities of the classes" bars={ranked.slice(0, 10)} classes={classes} />
            <p className="quiet times">
              In {milliseconds(guess.elapsedMs)}. The classes share 100% among them, also of an image that
              shows none of them.
            </p>
          </div>
        </div>
      )}
    </section>
  );
}

interface LiveProps {
  readonly photograph: () => Promise<Blob | undefined>;
  readonly ready: boolean;
  readonly trying: boolean;
  readonly take: (image: Blob) => void;
}

/** Gives the network what the camera sees as soon as it is done with the photograph before. */
function Live({ photograph, ready, trying, take }: LiveProps) {
  const latest = useRef(take);
  latest.current = take;
  useEffect(() => {
    if (!ready || trying) return;
    let isOver = false;
    void photograph().then((image) => {
      if (image && !isOver) latest.current(image);
    });
    return () => {
      isOver = true;
    };
  }, [ready, trying, photograph]);
  return <span className="quiet">{ready ? 'Hold something before the camera.' : 'Starting…'}</span>;
}
