/** The images of a folder in which a channel of a part is strongest: what it looks for. */
import { useEffect, useId, useMemo, useState } from 'react';
import type { Request, Strongest } from './messages.ts';

interface StrongestProps {
  readonly part: string;
  readonly strongest: Strongest | undefined;
  readonly ask: (request: Request) => void;
}

export function StrongestView({ part, strongest, ask }: StrongestProps) {
  const [channel, setChannel] = useState(0);
  const [files, setFiles] = useState<readonly File[]>([]);
  const [others, setOthers] = useState(0);
  const ids = [useId(), useId()];
  const take = (list: FileList | null) => {
    const images = [...(list ?? [])].filter(({ type }) => type.startsWith('image/'));
    setFiles(images);
    setOthers((list?.length ?? 0) - images.length);
    if (images.length > 0) ask({ kind: 'strongest', part, channel, files: images });
  };
  return (
    <>
      <h3>What is a channel looking for?</h3>
      <div className="options">
        <div className="field">
          <label htmlFor={ids[0]}>Channel of {part}</label>
          <input
            id={ids[0]}
            type="number"
            min={0}
            step={1}
            value={channel}
            onChange={({ target }) => setChannel(Math.max(0, Math.floor(Number(target.value)) || 0))}
          />
        </div>
        <span className="picker">
          <input
            id={ids[1]}
            className="file-input"
            type="file"
            // Not in React's types; every browser of a desk has it.
            {...{ webkitdirectory: '' }}
            onChange={({ target }) => {
              take(target.files);
              // Allow choosing the same folder again.
              target.value = '';
            }}
          />
          <label htmlFor={ids[1]} className="button">
            Search a folder of images
          </label>
        </span>
      </div>
      {others > 0 && (
        <p role="status">
          {others === 1 ? '1 file is no image and is' : `${others} files are no images and are`} left out
          {files.length === 0 && '; there is no image in the folder'}.
        </p>
      )}
      {strongest && <Found strongest={strongest} files={files} />}
    </>
  );
}

function Found({ strongest, files }: { strongest: Strongest; files: readonly File[] }) {
  const { part, channel, done, of, broken, found } = strongest;
  return (
    <>
      <p role="status" className="progress">
        {done < of && <progress value={done} max={of} aria-label="Images searched" />}
        {done} of {of} images; those with the largest mean of channel {channel} of {part} first
        {broken.length > 0 && `; ${broken.length} cannot be decoded: ${broken.slice(0, 3).join(', ')}`}
      </p>
      <ul className="channels strongest" aria-label={`Strongest images of channel ${channel}`}>
        {found.map(({ index, mean }) => {
          const file = files[index];
          return (
            file && (
              <li key={index}>
                <StrongImage file={file} mean={mean} />
              </li>
            )
          );
        })}
      </ul>
    </>
  );
}

function StrongImage({ file, mean }: { file: File; mean: number }) {
  const url = useMemo(() => URL.createObjectURL(file), [file]);
  useEffect(() => () => URL.revokeObjectURL(url), [url]);
  return (
    <figure>
      <img src={url} alt={file.name} title={file.name} />
      <figcaption>{Number(mean.toPrecision(3))}</figcaption>
    </figure>
  );
}
