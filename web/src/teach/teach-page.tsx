/** Teaches a network new classes from a person's images, in the page; nothing leaves the device. */
import { useId, useState } from 'react';
import type { ModelSource } from '../classify/messages.ts';
import { ModelChooser } from '../classify/model-chooser.tsx';
import { DropZone } from '../drop-zone.tsx';
import { duration } from '../format.ts';
import { ClassCard, LeftOut } from './class-card.tsx';
import { chosenFiles, droppedFiles } from './dropped-files.ts';
import { OddView } from './odd-view.tsx';
import { OutcomeView } from './outcome-view.tsx';
import { ServerView } from './server-view.tsx';
import { type PlacedFile, sortIntoClasses } from './sort-into-classes.ts';
import { TakeView } from './take-view.tsx';
import { type Change, obstacle, type Teaching, waiting } from './teaching.ts';
import { TryView } from './try-view.tsx';
import { useTeaching } from './use-teaching.ts';
import '../classify/classify.css';
import './teach.css';

export default function TeachPage() {
  const { state, odd, ask, change, train } = useTeaching();
  const { classes, images, outcome, model, error, before } = state;
  const load = (source: ModelSource) => ask({ kind: 'load', source });
  return (
    <div className="teach">
      <h1>Teach</h1>
      <p className="lead">
        A trained network sees your images, and learns in seconds to tell your classes apart: its features
        stay as they are, and a classifier is solved on them. Nothing leaves this device.
      </p>
      <ModelChooser
        state={{
          model,
          loading: state.loading,
          error: error?.during === 'load' ? { during: 'load', message: error.message } : undefined,
        }}
        load={load}
      />
      <section className="card" aria-labelledby="classes">
        <h2 id="classes">Classes</h2>
        <Folder change={change} />
        <ul className="classes">
          {classes.map((taught) => (
            <ClassCard
              key={taught.id}
              taught={taught}
              images={images.filter(({ classId }) => classId === taught.id)}
              change={change}
            />
          ))}
        </ul>
        <div className="options">
          <button type="button" onClick={() => change({ kind: 'add class' })}>
            Add a class
          </button>
          {before && (
            <button type="button" onClick={() => change({ kind: 'undo' })}>
              Undo: bring back {before.removed}
            </button>
          )}
        </div>
        <OddView odd={odd} classes={classes} size={model?.description.preprocessing.size} change={change} />
        <Train state={state} train={train} />
      </section>
      {outcome && <OutcomeView state={state} outcome={outcome} change={change} />}
      {outcome && <TryView state={state} outcome={outcome} ask={ask} />}
      {outcome && <TakeView state={state} ask={ask} />}
      <ServerView state={state} />
    </div>
  );
}

/** A folder with a folder for each class. */
function Folder({ change }: { change: (change: Change) => void }) {
  const id = useId();
  const [leftOut, setLeftOut] = useState<readonly string[]>([]);
  const take = (files: readonly PlacedFile[]) => {
    const sorted = sortIntoClasses(files);
    setLeftOut(sorted.leftOut);
    const named = sorted.classes.filter(({ name }) => name !== '');
    if (named.length > 0) change({ kind: 'add classes', classes: named });
    const loose = sorted.classes.find(({ name }) => name === '');
    if (loose) setLeftOut([...sorted.leftOut, ...loose.files.map(({ name }) => `${name} (in no folder)`)]);
  };
  return (
    <DropZone className="drop folder" take={(data) => void droppedFiles(data).then(take)}>
      <p>Drop a folder with a folder of images for each class here, or</p>
      <div className="buttons">
        <span className="picker">
          <input
            id={id}
            className="file-input"
            type="file"
            // Not in React's types; every browser of a desk has it.
            {...{ webkitdirectory: '' }}
            onChange={({ target }) => {
              take(chosenFiles(target.files));
              target.value = '';
            }}
          />
          <label htmlFor={id} className="button">
            Choose a folder of classes
          </label>
        </span>
      </div>
      {leftOut.length > 0 && <LeftOut names={leftOut} />}
    </DropZone>
  );
}

function Train({ state, train }: { state: Teaching; train: () => void }) {
  const { training, images, model, msPerImage, error, classes } = state;
  const left = waiting(images);
  const problem = obstacle(state);
  const used = images.length - images.filter((image) => image.problem !== undefined).length;
  return (
    <div className="train">
      <button
        type="button"
        className="main"
        disabled={problem !== undefined || training !== undefined}
        onClick={train}
      >
        Train on {used} images of {classes.length} classes
      </button>
      {problem !== undefined && <p className="quiet">{problem}</p>}
      {model && left > 0 && (
        <p role="status" className="progress">
          <progress value={images.length - left} max={images.length} aria-label="Images seen" />
          {left} {left === 1 ? 'image' : 'images'} to be seen
          {msPerImage !== undefined && `, about ${duration((left * msPerImage) / 1000)} left`}
        </p>
      )}
      {training !== undefined && training !== 'waiting' && (
        <p role="status" className="progress">
          <progress value={training.tried} max={training.of} aria-label="Training" />
          Training: {training.tried} of at most {training.of} strengths of regularisation compared
        </p>
      )}
      {error?.during === 'train' && <p role="alert">{error.message}</p>}
    </div>
  );
}
