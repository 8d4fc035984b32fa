/** The differences between two networks, part by part, with links that open both at that part. */
import { compareGraphs, type PartDifference } from '../../../src/graph/compare-graphs.ts';
import type { Graph } from '../../../src/graph/graph.ts';

interface DifferencesProps {
  readonly first: Graph;
  readonly second: Graph;
  readonly addressOf: (path: string) => string;
}

export function Differences({ first, second, addressOf }: DifferencesProps) {
  const parts = compareGraphs(first, second);
  const different = parts.filter(({ kind }) => kind !== 'same');
  const follow = parts.filter(({ kind }) => kind === 'follows').length;
  return (
    <section aria-labelledby="differences">
      <h2 id="differences">Differences</h2>
      <p className="quiet">
        {different.length === 0
          ? 'None: both networks are identical.'
          : `Of ${parts.length} parts, ${different.length - follow} differ in kind or are in one network only (thick borders); ${follow} have the same layers at other sizes, which follow from earlier parts (dashed). Equal neighbouring blocks share a line.`}
      </p>
      {different.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be focusable by keyboard
        <section className="scroller" tabIndex={0} aria-label="Table of differences">
          <table className="differences">
            <thead>
              <tr>
                <th scope="col">Part</th>
                <th scope="col">{first.network.name}</th>
                <th scope="col">{second.network.name}</th>
              </tr>
            </thead>
            <tbody>
              {different.map((part) => (
                <Part key={part.name} part={part} addressOf={addressOf} />
              ))}
            </tbody>
          </table>
        </section>
      )}
    </section>
  );
}

/** `inceptionResnetA/0..4` stands for its five blocks. */
export function blocksOf(name: string): string[] {
  const [, stage, first, last] = /^(.*)\/(\d+)\.\.(\d+)$/.exec(name) ?? [];
  if (stage === undefined) return [name];
  return Array.from(
    { length: Number(last) - Number(first) + 1 },
    (_, index) => `${stage}/${Number(first) + index}`,
  );
}

function Part({ part, addressOf }: { part: PartDifference; addressOf: (path: string) => string }) {
  return (
    <>
      <tr className={part.kind === 'follows' ? 'follows' : undefined}>
        <th scope="row">
          <a href={addressOf(blocksOf(part.name)[0] as string)}>{part.name}</a>
          {part.kind === 'follows' && ' (the same layers)'}
        </th>
        <td>{part.first ?? 'absent'}</td>
        <td>{part.second ?? 'absent'}</td>
      </tr>
      {part.layers.map((line) => {
        const [, name = '', left = '', right = ''] = /^(.*?): (.*) \| (.*)$/.exec(line) ?? [];
        return (
          <tr key={line} className="inner">
            <th scope="row">{name}</th>
            <td>{left}</td>
            <td>{right}</td>
          </tr>
        );
      })}
    </>
  );
}
