/** A place on which files are dropped; what stands inside serves the keyboard. */
import { useState } from 'react';

interface DropZoneProps {
  readonly className: string;
  readonly take: (data: DataTransfer) => void;
  readonly children: React.ReactNode;
}

export function DropZone({ className, take, children }: DropZoneProps) {
  const [isOver, setOver] = useState(false);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the buttons inside serve the keyboard
    <div
      className={isOver ? `${className} over` : className}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer);
      }}
    >
      {children}
    </div>
  );
}
