/** Ways for an image to come in: dropped, pasted, chosen, photographed. */
import { useEffect, useId, useState } from 'react';

interface DropProps {
  readonly take: (image: Blob) => void;
}

export function ImageDrop({ take }: DropProps) {
  const [over, setOver] = useState(false);
  const file = useId();
  const camera = useId();
  const first = (files: FileList | null | undefined) => {
    const image = [...(files ?? [])].find(({ type }) => type.startsWith('image/'));
    if (image) take(image);
  };
  useEffect(() => {
    const paste = (event: ClipboardEvent) => {
      const image = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith('image/'));
      if (image) take(image);
    };
    addEventListener('paste', paste);
    return () => removeEventListener('paste', paste);
  }, [take]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a place to drop things; the keyboard has the buttons inside
    <div
      className={`drop${over ? ' over' : ''}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        first(event.dataTransfer.files);
      }}
    >
      <p>Drop or paste an image here, or</p>
      <div className="buttons">
        <Picker id={file} label="Choose an image" take={first} />
        <Picker id={camera} label="Take a photograph" take={first} camera />
      </div>
      <p className="quiet">It stays on this device.</p>
    </div>
  );
}

interface PickerProps {
  readonly id: string;
  readonly label: string;
  readonly camera?: boolean;
  readonly take: (files: FileList | null) => void;
}

/** A file input that looks like a button; the input itself has the focus and the name. */
function Picker({ id, label, camera = false, take }: PickerProps) {
  return (
    <span className="picker">
      <input
        id={id}
        className="file-input"
        type="file"
        accept="image/*"
        capture={camera ? 'environment' : undefined}
        onChange={({ target }) => {
          take(target.files);
          // The same file may be chosen twice.
          target.value = '';
        }}
      />
      <label htmlFor={id} className={camera ? 'button' : 'button main'}>
        {label}
      </label>
    </span>
  );
}
