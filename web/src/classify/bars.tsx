/** Labels with their probabilities as bars, most probable first. */
import { percent } from '../format.ts';

interface BarsProps {
  readonly name: string;
  readonly bars: readonly { readonly label: number; readonly probability: number }[];
  readonly classes: readonly string[];
}

export function Bars({ name, bars, classes }: BarsProps) {
  return (
    <ol className="bars" aria-label={name}>
      {bars.map(({ label, probability }) => (
        <li key={label} style={{ '--share': probability } as React.CSSProperties}>
          <span>{classes[label]}</span>
          <span className="number">{percent(probability)}</span>
        </li>
      ))}
    </ol>
  );
}
