/** Notes and tags of a run: read by everybody, edited with the permission to train. */
import { useEffect, useId, useState } from 'react';
import type { Notes, NotesChange } from '../../../src/dashboard/api.ts';
import { send, usePermission } from '../control.ts';
import { fetchNotes } from './api.ts';
import { useRecord } from './use-record.ts';

interface Draft {
  /** What the draft began with. */
  readonly before: Notes | null;
  readonly text: string;
  /** As they are typed. */
  readonly tags: string;
}

const none: Notes = { format: 1, text: '', tags: [] };

/** Each tag once, in the order in which they are typed. */
export const tagsOf = (typed: string): readonly string[] => [
  ...new Set(typed.split(/[\s,]+/).filter((tag) => tag !== '')),
];

export function NotesView({ id, version }: { id: string; version: number }) {
  const { record, problem } = useRecord(fetchNotes, {
    id,
    version,
    isSame: (previous, next) => JSON.stringify(previous) === JSON.stringify(next),
  });
  const permission = usePermission();
  const field = useId();
  const [draft, setDraft] = useState<Draft>();
  // Shown from the moment it is saved until the server tells of it.
  const [saved, setSaved] = useState<Notes>();
  const [told, setTold] = useState<{ readonly text: string; readonly isProblem: boolean }>();
  // biome-ignore lint/correctness/useExhaustiveDependencies: whatever the server tells is newer
  useEffect(() => setSaved(undefined), [record]);
  const current = saved ?? record ?? null;
  const mayEdit = permission === 'may train' && problem === undefined;
  const edit = (changes: Partial<Draft>) => {
    const { text, tags } = current ?? none;
    setDraft({ ...(draft ?? { before: current, text, tags: tags.join(' ') }), ...changes });
    setTold(undefined);
  };
  const save = async ({ before, text, tags }: Draft) => {
    const notes: Notes = { format: 1, text, tags: tagsOf(tags) };
    try {
      const body: NotesChange = { before, notes };
      await send(`runs/${encodeURIComponent(id)}/notes`, { method: 'PUT', body });
      setSaved(notes);
      setDraft(undefined);
      setTold({ text: 'Saved.', isProblem: false });
    } catch (error) {
      setTold({ text: (error as Error).message, isProblem: true });
    }
  };
  return (
    <section aria-labelledby={`${field}heading`} className="card">
      <h2 id={`${field}heading`}>Notes</h2>
      {problem !== undefined && <p role="alert">{problem}</p>}
      {mayEdit ? (
        <form
          className="notes"
          onSubmit={(event) => {
            event.preventDefault();
            if (draft) void save(draft);
          }}
        >
          <div className="field">
            <label htmlFor={`${field}tags`}>Tags, with spaces between them</label>
            <input
              id={`${field}tags`}
              type="text"
              value={draft?.tags ?? (current ?? none).tags.join(' ')}
              onChange={({ target }) => edit({ tags: target.value })}
            />
          </div>
          <div className="field">
            <label htmlFor={`${field}text`}>What is to be remembered of this run</label>
            <textarea
              id={`${field}text`}
              rows={4}
              maxLength={20_000}
              value={draft?.text ?? (current ?? none).text}
              onChange={({ target }) => edit({ text: target.value })}
            />
          </div>
          <p className="options">
            <button type="submit" disabled={draft === undefined}>
              Save notes
            </button>
            <button
              type="button"
              disabled={draft === undefined}
              onClick={() => {
                setDraft(undefined);
                setTold(undefined);
              }}
            >
              Discard
            </button>
          </p>
        </form>
      ) : (
        <>
          {current !== null && <Tags tags={current.tags} />}
          {current !== null && current.text !== '' && <p className="note-text">{current.text}</p>}
          {problem === undefined && permission === 'reads' && (
            <p className="quiet">
              {current === null && 'None. '}This page only reads. Started with --allow-training, the dashboard
              can write them.
            </p>
          )}
          {problem === undefined && permission === 'no token' && (
            <p className="quiet">
              {current === null && 'None. '}To write them, open the address that the dashboard printed: it
              carries the permission.
            </p>
          )}
        </>
      )}
      <p role={told?.isProblem ? 'alert' : 'status'} hidden={told === undefined}>
        {told?.text}
      </p>
    </section>
  );
}

/** Beside a run; a list without tags is nothing. */
export function Tags({ tags }: { tags: readonly string[] }) {
  if (tags.length === 0) return null;
  return (
    <ul className="tags" aria-label="Tags">
      {tags.map((tag) => (
        <li key={tag}>{tag}</li>
      ))}
    </ul>
  );
}
