/** The list and the charts of the page Runs, as data. */
import { describe, expect, it } from 'vitest';
import type { RunSummary } from '../src/dashboard/api.ts';
import type { EvaluationMetrics, Metrics, TestMetrics } from '../src/train/run/records.ts';
import { blockCharts, charts, remarksOf } from '../web/src/runs/chart-specs.ts';
import {
  type ChartView,
  chartOption,
  csvOf,
  lookOf,
  meanPoints,
  nearestIndex,
  outsideOf,
  type Point,
  placesOf,
  seriesOf,
  smooth,
} from '../web/src/runs/curves.ts';
import {
  armOf,
  bundleExperiments,
  columnsOf,
  filterRuns,
  groupRuns,
  groupText,
  latestRuns,
  meanOf,
  nameOfGroup,
  sortRuns,
  statusOf,
} from '../web/src/runs/list.ts';
import { evaluationLine, stepLine } from './sample-run.ts';

const run = (id: string, changes: Partial<RunSummary> = {}): RunSummary => ({
  id,
  network: 'inception-v4',
  options: { classes: 2 },
  data: 'photos',
  classes: 2,
  seed: 1,
  settings: { batch: '32', 'optimizer.kind': 'rmsprop' },
  epochs: 10,
  batch: 32,
  step: 100,
  epoch: 10,
  elapsedSeconds: 60,
  evaluation: undefined,
  test: undefined,
  training: false,
  tags: [],
  size: 0,
  changed: 0,
  ...changes,
});
const withError = (id: string, top1Error: number, changes: Partial<RunSummary> = {}) =>
  run(id, { evaluation: { ...evaluationLine(100), top1Error }, ...changes });
const ids = (runs: readonly RunSummary[]) => runs.map(({ id }) => id);

describe('the list of runs', () => {
  it('tells a run that trains from one that has finished and one that was stopped', () => {
    expect([{ training: true }, {}, { epoch: 9.9 }].map((each) => statusOf(run('a', each)))).toEqual([
      'training',
      'finished',
      'stopped',
    ]);
  });

  it('has a column for each setting, those that differ first, and none twice', () => {
    const keys = columnsOf([
      run('a', { settings: { a: '1', z: '1', epochs: '10' } }),
      run('b', { settings: { a: '1', z: '2', epochs: '20' } }),
    ]).map(({ key }) => key);
    expect(keys.slice(-2)).toEqual(['z', 'a']);
    expect(keys.filter((key) => key === 'epochs')).toHaveLength(1);
  });

  it('is filtered by every word, of names, status, tags and settings', () => {
    const runs = [run('Alpha', { tags: ['keep'] }), run('beta', { training: true, seed: 2 })];
    const found = (filter: string) => ids(filterRuns(runs, filter));
    expect(found('  ')).toEqual(['Alpha', 'beta']);
    expect(found('ALPHA batch=32')).toEqual(['Alpha']);
    expect(found('training')).toEqual(['beta']);
    expect(found('tag=keep')).toEqual(['Alpha']);
    expect(found('alpha seed=2')).toEqual([]);
  });

  it('is sorted by numbers as numbers, with what has no value last in both directions', () => {
    const runs = [withError('run-10', 0.5), run('none'), withError('run-9', 0.1)];
    const columns = columnsOf(runs);
    const sorted = (order: string) => ids(sortRuns(runs, order, columns));
    expect(sorted('validation')).toEqual(['run-9', 'run-10', 'none']);
    expect(sorted('-validation')).toEqual(['run-10', 'run-9', 'none']);
    expect(sorted('run')).toEqual(['none', 'run-9', 'run-10']);
    expect(sorted('no such column')).toEqual(ids(runs));
    const batches = [run('a', { settings: { batch: '128' } }), run('b', { settings: { batch: '32' } })];
    expect(ids(sortRuns(batches, 'batch', columnsOf(batches)))).toEqual(['b', 'a']);
  });

  it('groups what differs by its seed alone, whatever the order of its settings', () => {
    const groups = groupRuns(
      [
        run('a', { seed: 1, settings: { x: '1', y: '2' } }),
        run('other', { settings: { x: '2', y: '2' } }),
        run('b', { seed: 2, settings: { y: '2', x: '1' } }),
      ],
      'seed',
    );
    expect(groups.map(ids)).toEqual([['a', 'b'], ['other']]);
  });

  it('has the arms of an experiment as lines that stand together, where the first of them stands', () => {
    const names = ['late', 'e/plain-seed2', 'early', 'e/residual-seed1', 'e/plain-seed1', 'f/plain-seed1'];
    const runs = names.map((name) => run(name));
    const lines = (grouping: 'arms' | 'none') => bundleExperiments(groupRuns(runs, grouping)).map(ids);
    expect(lines('arms')).toEqual([
      ['late'],
      ['e/plain-seed2', 'e/plain-seed1'],
      ['e/residual-seed1'],
      ['early'],
      ['f/plain-seed1'],
    ]);
    expect(lines('none')[1]).toEqual(['e/plain-seed2']);
    expect(groupRuns(runs, 'seed').map(ids)).toEqual([
      ['late', 'early'],
      ['e/plain-seed2', 'e/plain-seed1'],
      ['e/residual-seed1'],
      ['f/plain-seed1'],
    ]);
    expect(armOf({ id: 'e/plain-seed12' })).toEqual({ experiment: 'e', arm: 'plain' });
    expect(armOf({ id: 'plain-seed12' })).toBeUndefined();
  });

  it('shows at first the latest runs, with the other seeds of their arms', () => {
    const runs = ['e/plain-seed2', 'late', 'early', 'e/plain-seed1'].map((name) => run(name));
    const shown = (grouping: 'arms' | 'none') => ids(latestRuns(runs, { count: 2, grouping }));
    expect(shown('arms')).toEqual(['e/plain-seed2', 'e/plain-seed1', 'late']);
    expect(shown('none')).toEqual(['e/plain-seed2', 'late']);
  });

  it('calls a mean after its arm, or after its first run', () => {
    expect(nameOfGroup(['a'])).toBe('a');
    expect(nameOfGroup(['a', 'b'])).toBe('mean of 2 as a');
    expect(nameOfGroup(['e/x-seed1', 'e/x-seed2'])).toBe('mean of 2 of e/x');
  });

  it('gives mean and sample standard deviation, as the statistics module of Python does', () => {
    // statistics.mean and statistics.stdev of the same values
    const { mean, deviation } = meanOf([2, 4, 4, 4, 5, 5, 7, 9]);
    expect([mean, deviation]).toEqual([5, expect.closeTo(2.138089935299395, 14)]);
    expect(meanOf([3])).toEqual({ mean: 3, deviation: undefined });
  });

  it('says of a group how many of its runs have a value, and what they have in common', () => {
    const group = [withError('a', 0.4), withError('b', 0.6, { seed: 2 }), run('c', { seed: 3 })];
    const column = (key: string) => columnsOf(group).find((each) => each.key === key) as never;
    expect(groupText(group, column('validation'))).toBe('50.00 ± 14.14% (2 of 3 runs)');
    expect(groupText(group, column('test'))).toBe('–');
    expect(groupText(group, column('seed'))).toBe('1, 2, 3');
    expect(groupText([...group, run('d', { seed: 4 })], column('seed'))).toBe('4 different');
    expect(groupText(group.slice(0, 1), column('validation'))).toBe('40.00%');
  });
});

const view: ChartView = {
  axis: 'epoch',
  logarithmic: { x: false, y: false },
  smoothing: 0,
  from: undefined,
  to: undefined,
  all: false,
};
const curvesOf = (...runs: readonly (readonly Metrics[])[]) => [{ id: 'a', ...lookOf(0, 'light'), runs }];
const [loss] = charts as [(typeof charts)[number]];
const test: TestMetrics = { ...evaluationLine(20), kind: 'test', testLoss: 7 };

describe('the charts of runs', () => {
  it('have the values of each kind of line on the chosen axis, within the chosen part', () => {
    const metrics = [stepLine(5), stepLine(10), evaluationLine(10), stepLine(20), test];
    const points = (changes: Partial<ChartView>) =>
      seriesOf(loss, { runs: curvesOf(metrics), view: { ...view, ...changes } }).map((series) =>
        series.points.map(({ x, y }) => [x, y]),
      );
    expect(points({})).toEqual([
      [
        [0.5, 0.4],
        [1, 0.2],
        [2, 0.1],
      ],
      [[1, 0.1]],
      [[2, 7]],
    ]);
    expect(points({ axis: 'step', from: 6, to: 10 })).toEqual([[[10, 0.2]], [[10, 0.1]], []]);
    expect(points({ axis: 'time', from: 0.3 })[0]).toEqual([[20 / 60, 0.1]]);
  });

  it('leave out what is no finite number', () => {
    const metrics = [
      { ...stepLine(5), loss: null as never },
      { ...stepLine(10), loss: Number.NaN },
    ];
    expect(seriesOf(loss, { runs: curvesOf(metrics), view })[0]?.points).toEqual([]);
  });

  it('are smoothed by weights that fall with the distance, and sum to one at the first value too', () => {
    const points = [1, 2, 3].map((y, step): Point => ({ x: step, y, step }));
    // By the definition: each value weighs 0.9 of the one after it.
    const expected = [1, (2 + 0.9 * 1) / (1 + 0.9), (3 + 0.9 * 2 + 0.81 * 1) / (1 + 0.9 + 0.81)];
    expect(smooth(points, 0.9).map(({ y }) => y)).toEqual(expected.map((y) => expect.closeTo(y, 12)));
    expect(smooth(points, 0)).toEqual(points);
  });

  it('have the mean of a group at the steps that all of its runs have', () => {
    const points = (values: readonly (readonly [number, number])[]) =>
      values.map(([step, y]): Point => ({ x: step, y, step }));
    const mean = meanPoints([
      points([
        [1, 1],
        [2, 2],
      ]),
      points([
        [2, 4],
        [3, 5],
      ]),
      [],
    ]);
    expect(mean).toEqual([{ x: 2, y: 3, step: 2, deviation: expect.closeTo(Math.SQRT2, 12) }]);
    expect(meanPoints([[], []])).toEqual([]);
  });

  it('say what lies outside, and draw it when asked', () => {
    const metrics = [5, 10, 15, 20].map(stepLine);
    const runs = curvesOf([...metrics, { ...evaluationLine(10), validationLoss: 500 }, evaluationLine(20)]);
    const said = (changes: Partial<ChartView>) => {
      const changed = { ...view, ...changes };
      return outsideOf(loss, { series: seriesOf(loss, { runs, view: changed }), view: changed });
    };
    expect(said({})).toBe(
      'Above the axis, which ends at 0.16: a, training: 2 values, up to 0.4; a, validation: 500.',
    );
    expect(said({ all: true })).toBeUndefined();
    const zero = curvesOf([{ ...stepLine(0), loss: 0 }]);
    const logarithmic = { ...view, logarithmic: { x: true, y: true } };
    expect(
      outsideOf(loss, { series: seriesOf(loss, { runs: zero, view: logarithmic }), view: logarithmic }),
    ).toBe(
      'A logarithmic axis has no place for 1 values of 0 or less. The logarithmic x axis has no place for 1 values at 0.',
    );
  });

  it('have places to move between, of which the nearest is found', () => {
    const places = placesOf(
      seriesOf(loss, {
        runs: curvesOf([stepLine(20), stepLine(5), evaluationLine(5), evaluationLine(10)]),
        view,
      }),
    );
    expect(places).toEqual([0.5, 1, 2]);
    expect([-1, 0.5, 0.7, 0.8, 1.4, 1.6, 9].map((x) => places[nearestIndex(places, x)])).toEqual([
      0.5, 0.5, 0.5, 1, 1, 2, 2,
    ]);
  });

  it('are given as CSV with names quoted where they need it', () => {
    const runs = [{ ...curvesOf([stepLine(10)])[0], id: 'a,"b"' }] as ReturnType<typeof curvesOf>;
    const [, , rate] = charts as [never, never, (typeof charts)[number]];
    expect(csvOf(seriesOf(rate, { runs, view }), 'step')).toBe(
      'run,curve,step,x,value,standard deviation\n"a,""b""",learning rate,10,1,0.01,\n',
    );
  });

  it('differ by their lines where runs are more than colours', () => {
    const looks = Array.from({ length: 18 }, (_, index) => JSON.stringify(lookOf(index, 'dark')));
    expect(new Set(looks).size).toBe(18);
  });
});

describe('what is watched of a training', () => {
  const blocks = (ratios: readonly (number | null)[]) =>
    ratios.map((residualRatio, index) => ({
      block: ['A/0', 'A/1', 'B/0'][index] as string,
      residualRatio,
      zeroShare: 0.25,
    }));
  const metrics: readonly Metrics[] = [
    { ...stepLine(5), remark: 'dying' },
    { ...evaluationLine(10), blocks: blocks([0.1, 0.2, null]) } satisfies EvaluationMetrics,
    { ...evaluationLine(20), blocks: blocks([0.3, 0.4, 0.5]), remark: 'worse than guessing' },
    test,
  ];

  it('is a curve for each residual block, coloured by stage, stronger with depth', () => {
    const [spec, zeros] = blockCharts(metrics);
    const series = spec ? seriesOf(spec, { runs: curvesOf(metrics), view }) : [];
    expect(series.map(({ name, points, curve }) => [name, points.map(({ y }) => y), curve.shade])).toEqual([
      ['a, A/0', [0.1, 0.3], { colour: 0, opacity: 0.4 }],
      ['a, A/1', [0.2, 0.4], { colour: 0, opacity: 1 }],
      ['a, B/0', [0.5], { colour: 1, opacity: 1 }],
    ]);
    expect(spec?.legend?.map(({ name }) => name)).toEqual(['A, the deeper, the stronger', 'B']);
    const shares = zeros ? seriesOf(zeros, { runs: curvesOf(metrics), view }) : [];
    expect(shares.map(({ points }) => points.map(({ y }) => y))).toEqual([
      [25, 25],
      [25, 25],
      [25, 25],
    ]);
    expect(blockCharts([stepLine(5), evaluationLine(10)])).toEqual([]);
  });

  it('is a warning with its step, which every chart marks', () => {
    expect(remarksOf(metrics).map(({ step, text }) => [step, text])).toEqual([
      [5, 'dying'],
      [20, 'worse than guessing'],
    ]);
    const series = seriesOf(loss, { runs: curvesOf(metrics), view });
    const [marks] = chartOption(loss, { series, view, theme: 'light' }).series;
    expect(marks?.data).toEqual([
      [0.5, 1],
      [2, 1],
    ]);
  });
});
