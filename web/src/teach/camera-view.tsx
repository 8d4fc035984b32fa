/** The camera, with what is done with its photographs. */
import { useEffect, useRef, useState } from 'react';

interface CameraProps {
  /** What it is for, as part of its name: “Camera for owl”. */
  readonly about: string;
  readonly close: () => void;
  /** Buttons; `photograph` takes one. */
  readonly children: (photograph: () => Promise<Blob | undefined>, ready: boolean) => React.ReactNode;
}

export function CameraView({ about, close, children }: CameraProps) {
  const video = useRef<HTMLVideoElement>(null);
  const [problem, setProblem] = useState<string>();
  const [ready, setReady] = useState(false);
  useEffect(() => {
    let stream: MediaStream | undefined;
    let isOver = false;
    const start = async () => {
      if (!navigator.mediaDevices)
        throw new Error('this page was not opened over https:// or at localhost, which a camera needs');
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
      if (isOver || !video.current) return stop(stream);
      video.current.srcObject = stream;
      await video.current.play();
      setReady(true);
    };
    start().catch((error: Error) => isOver || setProblem(reasonOf(error)));
    return () => {
      isOver = true;
      stop(stream);
    };
  }, []);
  const photograph = async (): Promise<Blob | undefined> => {
    const { current } = video;
    if (!current?.videoWidth) return undefined;
    const canvas = document.createElement('canvas');
    canvas.width = current.videoWidth;
    canvas.height = current.videoHeight;
    canvas.getContext('2d')?.drawImage(current, 0, 0);
    return new Promise((resolve) => canvas.toBlob((blob) => resolve(blob ?? undefined), 'image/jpeg', 0.92));
  };
  return (
    <section className="camera" aria-label={`Camera for ${about}`}>
      {problem === undefined ? (
        <video ref={video} muted playsInline aria-label="What the camera sees" />
      ) : (
        <p role="alert">The camera cannot be used: {problem}.</p>
      )}
      <div className="buttons">
        {problem === undefined && children(photograph, ready)}
        <button type="button" onClick={close}>
          Close the camera
        </button>
      </div>
    </section>
  );
}

function stop(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

const reasons: Readonly<Record<string, string>> = {
  NotAllowedError: 'the browser, or you, did not allow it; its settings for this page can be changed',
  NotFoundError: 'there is none',
  NotReadableError: 'another program uses it',
};

const reasonOf = ({ name, message }: Error): string => reasons[name] ?? message;
