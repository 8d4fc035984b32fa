import { describe, expect, it } from 'vitest';
import { estimateText } from './estimate-text.ts';

describe('estimateText', () => {
  it('is one line for what takes less than an hour', () =>
    expect(
      estimateText({ seconds: 754, stepSeconds: 0.0621, steps: 1210, evaluations: 1, shorter: [] }),
    ).toEqual(['estimate: 12:34 for 1,210 more steps of 62 ms and 1 evaluation']));

  it('lists what would be shorter, in numbers', () =>
    expect(
      estimateText({
        seconds: 36_000,
        stepSeconds: 16.24,
        steps: 2000,
        evaluations: 10,
        shorter: [
          { option: '--freeze reductionB', factor: 0.467, seconds: 16_812 },
          { option: '--epochs 1', factor: 0.1, seconds: 3600 },
        ],
      }),
    ).toEqual([
      'estimate: 10:00:00 for 2,000 more steps of 16.2 s and 10 evaluations; it would be shorter with',
      '  --freeze reductionB  0.47 of the work, 4:40:12',
      '  --epochs 1           0.10 of the work, 1:00:00',
    ]));
});
