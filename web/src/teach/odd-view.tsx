/** What is odd about the images, a line each, with what can be done about it. */
import type { Copies, OddImages } from './odd-images.ts';
import type { Change, TaughtClass, TaughtImage } from './teaching.ts';

interface OddProps {
  readonly odd: OddImages;
  readonly classes: readonly TaughtClass[];
  /** The network's input. */
  readonly size: readonly [height: number, width: number] | undefined;
  readonly change: (change: Change) => void;
}

export function OddView({ odd, classes, size, change }: OddProps) {
  const { undecodable, copies, contradictions, small } = odd;
  const identical = copies.filter((each) => each.identical);
  const alike = copies.filter((each) => !each.identical);
  const nameOf = (id: number) => classes.find((each) => each.id === id)?.name ?? '';
  const remove = (images: readonly TaughtImage[]) =>
    change({ kind: 'remove images', ids: images.map(({ id }) => id) });
  const later = identical.flatMap(({ images }) => images.slice(1));
  if (undecodable.length + copies.length + contradictions.length + small.length === 0) return null;
  return (
    <ul className="odd" aria-label="What is odd about the images">
      {undecodable.length > 0 && (
        <li>
          <strong>{counted(undecodable.length)} cannot be used:</strong>{' '}
          {some(undecodable.map(({ name, problem }) => `${name} (${problem})`))}{' '}
          <button type="button" onClick={() => remove(undecodable)}>
            Remove {undecodable.length === 1 ? 'it' : 'them'}
          </button>
        </li>
      )}
      {contradictions.map((group) => (
        <li key={group.images[0]?.id}>
          <strong>{group.identical ? 'The same image' : 'Images that look alike'} in two classes:</strong>{' '}
          {some(group.images.map(({ name, classId }) => `${name} (${nameOf(classId)})`))}. One of the labels
          is wrong, or the classes overlap; as they are, both are learnt.
        </li>
      ))}
      {later.length > 0 && (
        <li>
          <strong>{counted(later.length)} there more than once:</strong> {some(later.map(({ name }) => name))}
          . Copies count twice in training, and are judged together.{' '}
          <button type="button" onClick={() => remove(later)}>
            Keep one of each
          </button>
        </li>
      )}
      {alike.length > 0 && (
        <li>
          <strong>{counted(imagesIn(alike))} look like another one of their class:</strong>{' '}
          {some(alike.flatMap(({ images }) => images.map(({ name }) => name)))}. They are judged together, so
          that none is recognised by the other.
        </li>
      )}
      {small.length > 0 && size && (
        <li>
          <strong>
            {counted(small.length)} smaller than the network's {size[1]}×{size[0]} pixels:
          </strong>{' '}
          {some(small.map(({ name, seen }) => `${name} (${seen?.width}×${seen?.height})`))}. They are
          enlarged, which adds nothing to them.
        </li>
      )}
    </ul>
  );
}

const counted = (count: number): string => (count === 1 ? '1 image' : `${count} images`);

const imagesIn = (groups: readonly Copies[]): number =>
  groups.reduce((sum, { images }) => sum + images.length, 0);

const some = (texts: readonly string[]): string =>
  texts.length > 4 ? `${texts.slice(0, 3).join(', ')} and ${texts.length - 3} more` : texts.join(', ');
