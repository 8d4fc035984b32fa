/** The list of runs: choose, sort, filter, group; on a phone each run is a card. */
import { useId, useState } from 'react';
import type { RunList, RunSummary } from '../../../src/dashboard/api.ts';
import { grouped } from '../format.ts';
import { addressOf } from '../location.ts';
import { type Column, columnsOf, filterRuns, groupRuns, groupText, sortRuns, usualColumns } from './list.ts';

const perPage = 50;

interface RunTableProps {
  readonly list: RunList;
  readonly settings: URLSearchParams;
  readonly change: (changes: Readonly<Record<string, string | undefined>>) => void;
  /** Of the runs whose curves are shown. */
  readonly colours: ReadonlyMap<string, string>;
  readonly toggle: (ids: readonly string[], on: boolean) => void;
  readonly problems: ReadonlyMap<string, string>;
}

export function RunTable({ list, settings, change, colours, toggle, problems }: RunTableProps) {
  const [page, setPage] = useState(0);
  const filterId = useId();
  const groupId = useId();
  const columns = columnsOf(list.runs);
  const keys = settings.get('columns')?.split(',') ?? usualColumns;
  const shown = columns.filter(({ key }) => keys.includes(key));
  const filter = settings.get('filter') ?? '';
  const order = settings.get('sort') ?? '';
  const found = sortRuns(filterRuns(list.runs, filter), order, columns);
  const rows = settings.get('group') === 'seed' ? groupRuns(found) : found.map((run) => [run]);
  const pages = Math.max(1, Math.ceil(rows.length / perPage));
  const current = Math.min(page, pages - 1);
  const sortBy = (key: string) => change({ sort: order === key ? `-${key}` : key });
  const chooseTag = (tag: string) => {
    const word = `tag=${tag}`;
    const words = filter.split(/\s+/).filter(Boolean);
    if (!words.includes(word)) change({ filter: [...words, word].join(' ') });
  };
  const chooseColumn = (key: string, on: boolean) => {
    const next = columns
      .map((column) => column.key)
      .filter((each) => (each === key ? on : keys.includes(each)));
    change({ columns: next.join() === usualColumns.join() ? undefined : next.join() });
  };
  return (
    <>
      <div className="options">
        <div className="field">
          <label htmlFor={filterId}>Filter</label>
          <input
            id={filterId}
            type="text"
            value={filter}
            placeholder="name, network, seed=1, tag=baseline …"
            onChange={({ target }) => change({ filter: target.value || undefined })}
          />
        </div>
        <div className="field">
          <label htmlFor={groupId}>Group by</label>
          <select
            id={groupId}
            value={settings.get('group') === 'seed' ? 'seed' : ''}
            onChange={({ target }) => change({ group: target.value || undefined })}
          >
            <option value="">nothing</option>
            <option value="seed">configuration without seed</option>
          </select>
        </div>
        <details>
          <summary>Columns</summary>
          <div className="column-choice">
            {columns.map(({ key, title }) => (
              <label key={key} className="check">
                <input
                  type="checkbox"
                  checked={keys.includes(key)}
                  onChange={({ target }) => chooseColumn(key, target.checked)}
                />
                {title}
              </label>
            ))}
          </div>
        </details>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be focusable by keyboard */}
      <section className="scroller card" tabIndex={0} aria-label="Runs in this folder">
        <table className="run-table">
          <thead>
            <tr>
              <Heading column={{ key: 'run', title: 'Run' }} order={order} sortBy={sortBy} />
              {shown.map((column) => (
                <Heading key={column.key} column={column} order={order} sortBy={sortBy} />
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(current * perPage, (current + 1) * perPage).map((group) => (
              <Row
                key={group[0]?.id}
                group={group}
                columns={shown}
                colours={colours}
                toggle={toggle}
                chooseTag={chooseTag}
                problem={group.map(({ id }) => problems.get(id)).find((each) => each !== undefined)}
              />
            ))}
            {list.broken.map(({ id, reason }) => (
              <tr key={id} className="broken">
                <th scope="row">
                  <span className="run-name" title={id}>
                    {id}
                  </span>
                </th>
                <td colSpan={Math.max(1, shown.length)} title={reason}>
                  <span className="wrong">cannot be read:</span> {reason}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <p className="quiet" role="status">
        {grouped(found.length)} of {grouped(list.runs.length)} runs
        {rows.length < found.length && ` in ${grouped(rows.length)} groups`}
        {pages > 1 && `, page ${current + 1} of ${pages}`}
      </p>
      {pages > 1 && (
        <p className="options">
          <button type="button" disabled={current === 0} onClick={() => setPage(current - 1)}>
            Previous
          </button>
          <button type="button" disabled={current === pages - 1} onClick={() => setPage(current + 1)}>
            Next
          </button>
        </p>
      )}
    </>
  );
}

interface HeadingProps {
  readonly column: Pick<Column, 'key' | 'title' | 'numeric'>;
  readonly order: string;
  readonly sortBy: (key: string) => void;
}

function Heading({ column: { key, title, numeric }, order, sortBy }: HeadingProps) {
  const direction = order === key ? 'ascending' : order === `-${key}` ? 'descending' : undefined;
  return (
    <th scope="col" className={numeric && 'number'} aria-sort={direction}>
      <button type="button" className="sort" onClick={() => sortBy(key)}>
        {title}
        <span aria-hidden="true">{direction === 'ascending' ? ' ↑' : direction ? ' ↓' : ''}</span>
      </button>
    </th>
  );
}

interface RowProps extends Pick<RunTableProps, 'colours' | 'toggle'> {
  readonly group: readonly RunSummary[];
  readonly columns: readonly Column[];
  /** Filters the list by a tag. */
  readonly chooseTag: (tag: string) => void;
  /** Why the curves of one of its runs cannot be read. */
  readonly problem: string | undefined;
}

function Row({ group, columns, colours, toggle, problem, chooseTag }: RowProps) {
  const ids = group.map(({ id }) => id);
  const [first] = ids as [string];
  const colour = ids.map((id) => colours.get(id)).find((each) => each !== undefined);
  const name = ids.length > 1 ? `${first} and ${ids.length - 1} more` : first;
  return (
    <tr>
      <th scope="row" title={ids.join('\n')}>
        <label className="check">
          <input
            type="checkbox"
            checked={colour !== undefined}
            onChange={({ target }) => toggle(ids, target.checked)}
          />
          <span className="swatch" style={{ background: colour ?? 'transparent' }} />
          <span className="run-name">{name}</span>
        </label>
        {ids.length === 1 && (
          <a
            className="open-run"
            href={addressOf('runs', new URLSearchParams({ run: first }))}
            aria-label={`Open ${first}`}
          >
            Open
          </a>
        )}
        <TagButtons tags={[...new Set(group.flatMap(({ tags }) => tags))]} choose={chooseTag} />
        {problem !== undefined && <span className="wrong"> {problem}</span>}
      </th>
      {columns.map((column) => {
        const text = groupText(group, column);
        return (
          <td key={column.key} className={column.numeric && 'number'} data-title={column.title} title={text}>
            {text === 'training' ? <strong className="right">{text}</strong> : text}
          </td>
        );
      })}
    </tr>
  );
}

/** Those of all runs of a line. */
function TagButtons({ tags, choose }: { tags: readonly string[]; choose: (tag: string) => void }) {
  if (tags.length === 0) return null;
  return (
    <span className="tags">
      {tags.map((tag) => (
        <button key={tag} type="button" aria-label={`Only runs tagged ${tag}`} onClick={() => choose(tag)}>
          {tag}
        </button>
      ))}
    </span>
  );
}
