/** Image input: drop, paste, choose a file, take a photo. */
import { useEffect, useId } from 'react';
import { DropZone } from '../drop-zone.tsx';

interface DropProps {
  readonly take: (image: Blob) => void;
}

export function ImageDrop({ take }: DropProps) {
  const file = useId();
  const camera = useId();
  const takeFirst = (files: FileList | null | undefined) => {
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
    <DropZone className="drop" take={({ files }) => takeFirst(files)}>
      <p>Drop or paste an image here, or</p>
      <div className="buttons">
        <Picker id={file} label="Choose an image" main take={takeFirst} />
        <Picker id={camera} label="Take a photo" take={takeFirst} camera />
      </div>
      <p className="quiet">Images stay on this device.</p>
    </DropZone>
  );
}

interface PickerProps {
  readonly id: string;
  readonly label: string;
  readonly camera?: boolean;
  /** Whether it is what most people come for. */
  readonly main?: boolean;
  readonly take: (files: FileList | null) => void;
}

/** A file input styled as a button; the input itself has the focus and the accessible name. */
export function Picker({ id, label, camera = false, main = false, take }: PickerProps) {
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
          // Allow choosing the same file again.
          target.value = '';
        }}
      />
      <label htmlFor={id} className={main ? 'button main' : 'button'}>
        {label}
      </label>
    </span>
  );
}
