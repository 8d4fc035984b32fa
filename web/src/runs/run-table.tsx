/** The list of runs: choose, sort, filter, group; on a phone each run is a card. */
import { useId, useState } from 'react';
import type { ExperimentSummary, RunList, RunSummary } from '../../../src/dashboard/api.ts';
import { grouped } from '../format.ts';
import { addressOf } from '../location.ts';
import {
  armOf,
  bundleExperiments,
  type Column,
  columnsOf,
  filterRuns,
  groupingOf,
  groupingsOf,
  groupRuns,
  groupText,
  sortRuns,
  usualColumns,
} from './list.ts';

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
  const grouping = groupingOf(settings.get('group'));
  const rows = bundleExperiments(groupRuns(found, grouping));
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
            value={grouping}
            onChange={({ target }) => change({ group: target.value === 'arms' ? undefined : target.value })}
          >
            {groupingsOf(list).map(([name, title]) => (
              <option key={name} value={name}>
                {title}
              </option>
            ))}
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
          {sectionsOf(rows.slice(current * perPage, (current + 1) * perPage)).map(
            ({ experiment, groups }) => (
              <tbody key={groups[0]?.[0]?.id}>
                {experiment !== undefined && (
                  <ExperimentRow
                    id={experiment}
                    experiment={list.experiments.find(({ id }) => id === experiment)}
                    columns={shown.length}
                  />
                )}
                {groups.map((group) => (
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
              </tbody>
            ),
          )}
          <tbody>
            {/* Of which only records are left, or which has not begun. */}
            {list.experiments
              .filter(({ id }) => list.runs.every((run) => armOf(run)?.experiment !== id))
              .map((experiment) => (
                <ExperimentRow
                  key={experiment.id}
                  id={experiment.id}
                  experiment={experiment}
                  columns={shown.length}
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

/** Lines between which no experiment begins or ends. */
function sectionsOf(groups: readonly (readonly RunSummary[])[]) {
  const sections: { experiment: string | undefined; groups: (readonly RunSummary[])[] }[] = [];
  for (const group of groups) {
    const experiment = armOf(group[0] as RunSummary)?.experiment;
    const last = sections.at(-1);
    if (last && last.experiment === experiment) last.groups.push(group);
    else sections.push({ experiment, groups: [group] });
  }
  return sections;
}

interface ExperimentRowProps {
  readonly id: string;
  /** Undefined if experiment.json cannot be read, which another line says. */
  readonly experiment: ExperimentSummary | undefined;
  /** Besides that of the names. */
  readonly columns: number;
}

function ExperimentRow({ id, experiment, columns }: ExperimentRowProps) {
  return (
    <tr className="experiment">
      <th scope="rowgroup" colSpan={columns + 1}>
        <strong>{id}</strong>{' '}
        {experiment && (
          <>
            <span className="quiet">
              experiment {experiment.claim}, scale {experiment.scale}, {experiment.seeds}{' '}
              {experiment.seeds === 1 ? 'seed' : 'seeds'}
              {experiment.data !== undefined && `, data ${experiment.data}`}; {experiment.ended}{' '}
              {experiment.ended === 1 ? 'training has' : 'trainings have'} ended
              {!experiment.hasReport && '; no report yet'}
            </span>{' '}
            {experiment.hasReport && (
              <a
                href={`./api/experiments/${encodeURIComponent(id)}/report`}
                target="_blank"
                rel="noreferrer"
                aria-label={`Report of ${id}, in a new tab`}
              >
                Report
              </a>
            )}
          </>
        )}
      </th>
    </tr>
  );
}

/** Below the line of its experiment, a training needs only its own name. */
function rowName(ids: readonly string[]): string {
  const [first] = ids as [string];
  const arm = armOf({ id: first });
  if (ids.length === 1) return arm ? first.slice(arm.experiment.length + 1) : first;
  return arm ? `${arm.arm}, ${ids.length} seeds` : `${first} and ${ids.length - 1} more`;
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
  const colour = ids.map((id) => colours.get(id)).find((each) => each !== undefined);
  const name = rowName(ids);
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
        <OpenLinks ids={ids} />
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

/** To the page of a run, or to those of an arm's seeds. */
function OpenLinks({ ids }: { ids: readonly string[] }) {
  const [first] = ids as [string];
  const arm = armOf({ id: first });
  if (ids.length > 1 && !arm) return null;
  const links = ids
    .map((id) => ({ id, seed: /\d+$/.exec(id)?.[0] ?? id }))
    .sort((a, b) => Number(a.seed) - Number(b.seed));
  const isOne = ids.length === 1;
  return (
    <span className="open-run">
      {!isOne && <span className="quiet">Open seed</span>}
      {links.map(({ id, seed }) => (
        <a
          key={id}
          href={addressOf('runs', new URLSearchParams({ run: id }))}
          aria-label={isOne ? `Open ${id}` : `Open seed ${seed} of ${arm?.experiment}/${arm?.arm}`}
        >
          {isOne ? 'Open' : seed}
        </a>
      ))}
    </span>
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
