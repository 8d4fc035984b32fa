/** One class: its name, its images, and the ways to add some. */
import { useId, useRef, useState } from 'react';
import { DropZone } from '../drop-zone.tsx';
import { CameraView } from './camera-view.tsx';
import { droppedFiles } from './dropped-files.ts';
import { sortIntoClasses } from './sort-into-classes.ts';
import type { Change, NamedFile, TaughtClass, TaughtImage } from './teaching.ts';

interface ClassProps {
  readonly taught: TaughtClass;
  readonly images: readonly TaughtImage[];
  readonly change: (change: Change) => void;
}

/** Images of a class that are shown until one asks for all. */
const shownAtFirst = 8;

export function ClassCard({ taught: { id, name }, images, change }: ClassProps) {
  const ids = { name: useId(), files: useId() };
  const [photographs, setPhotographs] = useState(false);
  const [all, setAll] = useState(false);
  const [leftOut, setLeftOut] = useState<readonly string[]>([]);
  const add = (files: readonly NamedFile[]) => {
    if (files.length > 0) change({ kind: 'add images', classId: id, files });
  };
  const addSorted = (sorted: ReturnType<typeof sortIntoClasses>) => {
    setLeftOut(sorted.leftOut);
    add(sorted.classes.flatMap(({ files }) => files));
  };
  const shown = all ? images : images.slice(0, shownAtFirst);
  const named = name.trim() || 'a class without a name';
  return (
    <li>
      <DropZone
        className="card taught"
        take={(data) => void droppedFiles(data).then((files) => addSorted(sortIntoClasses(files)))}
      >
        <div className="taught-head">
          <div className="field">
            <label htmlFor={ids.name}>Name of the class</label>
            <input
              id={ids.name}
              type="text"
              value={name}
              maxLength={200}
              onChange={({ target }) => change({ kind: 'rename class', id, name: target.value })}
            />
          </div>
          <span className="quiet">{images.length === 1 ? '1 image' : `${images.length} images`}</span>
          <button
            type="button"
            className="round"
            aria-label={`Remove ${named}`}
            onClick={() => change({ kind: 'remove class', id })}
          >
            ×
          </button>
        </div>
        <div className="buttons">
          <span className="picker">
            <input
              id={ids.files}
              className="file-input"
              type="file"
              accept="image/*"
              multiple
              aria-label={`Add images to ${named}`}
              onChange={({ target }) => {
                addSorted(sortIntoClasses([...(target.files ?? [])].map((file) => ({ path: [], file }))));
                target.value = '';
              }}
            />
            <label htmlFor={ids.files} className="button">
              Add images
            </label>
          </span>
          {!photographs && (
            <button
              type="button"
              aria-label={`Camera: photograph ${named}`}
              onClick={() => setPhotographs(true)}
            >
              Camera
            </button>
          )}
        </div>
        {images.length === 0 && !photographs && <p className="quiet">Or drop images here.</p>}
        {leftOut.length > 0 && <LeftOut names={leftOut} />}
        {photographs && (
          <CameraView about={named} close={() => setPhotographs(false)}>
            {(photograph, ready) => <Shutter {...{ photograph, ready, add }} />}
          </CameraView>
        )}
        {images.length > 0 && (
          <ul className="thumbnails" aria-label={`Images of ${named}`}>
            {shown.map((image) => (
              <Thumbnail key={image.id} image={image}>
                <button
                  type="button"
                  aria-label={`Remove ${image.name}`}
                  onClick={() => change({ kind: 'remove images', ids: [image.id] })}
                >
                  ×
                </button>
              </Thumbnail>
            ))}
          </ul>
        )}
        {images.length > shownAtFirst && (
          <button type="button" aria-expanded={all} onClick={() => setAll(!all)}>
            {all ? 'Show fewer' : `Show all ${images.length}`}
          </button>
        )}
      </DropZone>
    </li>
  );
}

/** Photographs in a row, a third of a second apart: what is held moves a little between them. */
const burst = { photographs: 10, ms: 330 };

interface ShutterProps {
  readonly photograph: () => Promise<Blob | undefined>;
  readonly ready: boolean;
  readonly add: (files: readonly NamedFile[]) => void;
}

function Shutter({ photograph, ready, add }: ShutterProps) {
  const taken = useRef(0);
  const take = async (photographs: number) => {
    for (let shot = 0; shot < photographs; shot++) {
      if (shot > 0) await new Promise((resolve) => setTimeout(resolve, burst.ms));
      const file = await photograph();
      if (file) add([{ name: `photograph ${++taken.current}.jpg`, file }]);
    }
  };
  return (
    <>
      <button type="button" className="main" disabled={!ready} onClick={() => void take(1)}>
        Take one
      </button>
      <button type="button" disabled={!ready} onClick={() => void take(burst.photographs)}>
        Take {burst.photographs}
      </button>
    </>
  );
}

export function LeftOut({ names }: { names: readonly string[] }) {
  const shown = names.slice(0, 3).join(', ');
  return (
    <p role="status">
      Left out, no {names.length === 1 ? 'image' : 'images'}: {shown}
      {names.length > 3 && ` and ${names.length - 3} more`}
    </p>
  );
}

/** A small image, with what can be done with it. */
export function Thumbnail({ image, children }: { image: TaughtImage; children: React.ReactNode }) {
  const state = image.problem !== undefined ? 'broken' : image.seen ? 'seen' : 'waiting';
  return (
    <li className={state} title={image.problem ?? image.name}>
      {image.url !== undefined ? (
        <img src={image.url} alt={image.name} loading="lazy" />
      ) : (
        <span className="placeholder">{state === 'broken' ? 'not an image' : image.name}</span>
      )}
      {children}
    </li>
  );
}
