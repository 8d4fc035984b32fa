/** What was learnt: the error on images that were not learnt from, the confusion matrix, and the images to look at again. */
import { Confusion } from '../confusion.tsx';
import { milliseconds, percent } from '../format.ts';
import { Thumbnail } from './class-card.tsx';
import type { Mistake, Outcome } from './messages.ts';
import type { Change, Teaching } from './teaching.ts';

interface OutcomeProps {
  readonly state: Teaching;
  readonly outcome: Outcome;
  readonly change: (change: Change) => void;
}

/** From here on a label looks wrong, as in `inception data check`. */
const doubtfulMargin = 0.5;

const marginOf = ({ probability, labelProbability }: Mistake): number => probability - labelProbability;

export function OutcomeView({ state, outcome, change }: OutcomeProps) {
  const { images, revision } = state;
  const { classes, error, folds, notJudged, mistakes, trainMs } = outcome;
  const there = new Set(images.map(({ id }) => id));
  const open = mistakes.filter(({ id }) => there.has(id));
  const doubtful = open.filter((mistake) => marginOf(mistake) >= doubtfulMargin);
  const others = open.filter((mistake) => marginOf(mistake) < doubtfulMargin);
  return (
    <section className="card" aria-labelledby="learnt">
      <h2 id="learnt">What it learnt</h2>
      <p className="answer" role="status">
        {percent(error, 1)} <span className="quiet">error</span>
      </p>
      <p className="quiet">
        {mistakes.length} of {outcome.images - notJudged} images are given another label by classifiers that
        had not seen them: the images are parted into {folds}, and each part is judged by what the others
        teach. {notJudged > 0 && `${notJudged} could not be judged: nothing else shows their class. `}
        Trained in {milliseconds(trainMs)}.
      </p>
      {revision !== outcome.revision && (
        <p role="status">
          <strong>Classes or images have changed since:</strong> train again.
        </p>
      )}
      <Confusion record={outcome} />
      <Mistakes
        title="The label looks wrong"
        about="The network is sure of another class. Move them if it is right."
        {...{ state, classes, change }}
        mistakes={doubtful}
      />
      <Mistakes
        title="Mistaken for another class"
        about="More images like these would help most."
        {...{ state, classes, change }}
        mistakes={others}
      />
    </section>
  );
}

interface MistakesProps extends Pick<OutcomeProps, 'state' | 'change'> {
  readonly title: string;
  readonly about: string;
  readonly classes: readonly string[];
  readonly mistakes: readonly Mistake[];
}

/** With more nobody looks at each. */
const maxMistakes = 48;

function Mistakes({ title, about, state, classes, mistakes, change }: MistakesProps) {
  if (mistakes.length === 0) return null;
  return (
    <>
      <h3>
        {title} ({mistakes.length})
      </h3>
      <p className="quiet">
        {about}
        {mistakes.length > maxMistakes && ` The ${maxMistakes} surest are shown.`}
      </p>
      <ul className="thumbnails wide" aria-label={title}>
        {mistakes.slice(0, maxMistakes).map(({ id, predicted, probability }) => {
          const image = state.images.find((each) => each.id === id);
          if (!image) return null;
          const name = classes[predicted] as string;
          const target = state.classes.find((each) => each.name.trim() === name);
          const label = state.classes.find((each) => each.id === image.classId)?.name;
          return (
            <Thumbnail key={id} image={image}>
              <p>
                {label}; looks like <strong>{name}</strong> ({percent(probability, 0)})
              </p>
              {target && target.id !== image.classId && (
                <button
                  type="button"
                  aria-label={`Move to ${name}: ${image.name}`}
                  onClick={() => change({ kind: 'move image', id, classId: target.id })}
                >
                  Move to {name}
                </button>
              )}
              <button
                type="button"
                aria-label={`Remove ${image.name}, mistaken for ${name}`}
                onClick={() => change({ kind: 'remove images', ids: [id] })}
              >
                Remove
              </button>
            </Thumbnail>
          );
        })}
      </ul>
    </>
  );
}
