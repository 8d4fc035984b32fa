import { describe, expect, it } from 'vitest';
import { minimise, type Objective } from './lbfgs.ts';

/** Its minimum, 0, is at (1, 1); scipy.optimize's standard test function. */
const rosenbrock: Objective = async ([x = 0, y = 0]) => ({
  value: 100 * (y - x * x) ** 2 + (1 - x) ** 2,
  gradient: Float64Array.of(-400 * x * (y - x * x) - 2 * (1 - x), 200 * (y - x * x)),
});

describe('minimise', () => {
  it('finds the minimum of the Rosenbrock function', async () => {
    const { point, converged, iterations } = await minimise(rosenbrock, {
      start: Float64Array.of(-1.2, 1),
      tolerance: 1e-6,
    });
    expect(converged).toBe(true);
    expect(iterations).toBeLessThan(60);
    expect(point[0]).toBeCloseTo(1, 5);
    expect(point[1]).toBeCloseTo(1, 5);
  });

  it('says that the iterations ran out', async () => {
    const { converged, iterations } = await minimise(rosenbrock, {
      start: Float64Array.of(-1.2, 1),
      maxIterations: 3,
    });
    expect({ converged, iterations }).toEqual({ converged: false, iterations: 3 });
  });

  it('ends where the precision of the function does', async () => {
    const rounded: Objective = async ([x = 0]) => ({
      value: Math.fround(1000 + (x - 3) ** 2),
      gradient: Float64Array.of(2 * (x - 3)),
    });
    const { point, converged } = await minimise(rounded, { start: Float64Array.of(0), tolerance: 1e-12 });
    expect(converged).toBe(true);
    expect(point[0]).toBeCloseTo(3, 1);
  });

  it('takes no step from a minimum', async () => {
    const { iterations, point } = await minimise(rosenbrock, { start: Float64Array.of(1, 1) });
    expect({ iterations, point: [...point] }).toEqual({ iterations: 0, point: [1, 1] });
  });
});
