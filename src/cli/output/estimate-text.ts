/** The estimate of a training's time, in lines. */
import type { Estimate } from '../../train/estimate/estimate.ts';
import { counted, duration } from './format.ts';

export function estimateText({ seconds, stepSeconds, steps, evaluations, shorter }: Estimate): string[] {
  const pace = stepSeconds >= 0.1 ? `${stepSeconds.toFixed(1)} s` : `${(stepSeconds * 1000).toFixed(0)} ms`;
  const about = `estimate: ${duration(seconds)} for ${counted(steps, 'more step')} of ${pace} and ${counted(evaluations, 'evaluation')}`;
  if (shorter.length === 0) return [about];
  const width = Math.max(...shorter.map(({ option }) => option.length));
  return [
    `${about}; it would be shorter with`,
    ...shorter.map(
      (each) =>
        `  ${each.option.padEnd(width)}  ${each.factor.toFixed(2)} of the work, ${duration(each.seconds)}`,
    ),
  ];
}
