import { describe, expect, it } from 'vitest';
import { buildGraph } from '../graph/build-graph.ts';
import { parametersOf } from '../graph/graph.ts';
import { freeze, frozenNames } from '../graph/parts.ts';
import { configure, findNetwork } from '../networks/networks.ts';
import { splitFrozen } from './split-frozen.ts';

const graph = buildGraph(
  configure(findNetwork('inception-v3'), { blocks: { A: 1, B: 1, C: 1 }, width: 0.25, auxiliary: true }),
);
const split = (part: string, keep: readonly string[] = []) => {
  const parts = splitFrozen(freeze(graph, part), { keep });
  if (!parts) throw new Error('nothing is frozen');
  return parts;
};

describe('splitting a graph at the end of its frozen parts', () => {
  it('does nothing where nothing is frozen', () => {
    expect(splitFrozen(graph, { keep: [] })).toBeUndefined();
  });

  it('gives every parameter to one side', () => {
    const { frozen, trained } = split('inceptionA');
    const names = [...parametersOf(frozen), ...parametersOf(trained)].map(({ name }) => name);
    expect(names).toEqual(parametersOf(graph).map(({ name }) => name));
    expect(new Set(parametersOf(frozen).map(({ name }) => name))).toEqual(
      frozenNames(freeze(graph, 'inceptionA')),
    );
  });

  it('reads the frozen parts’ result as an input of its shape', () => {
    const { trained, frozen, boundaries } = split('inceptionA');
    expect(boundaries).toEqual(['inceptionA']);
    const [input, next] = trained.nodes;
    expect(input).toMatchObject({ id: 0, op: 'input', path: 'inceptionA', inputs: [] });
    expect(input?.shape).toEqual(frozen.nodes[frozen.logits]?.shape);
    expect(next?.inputs).toEqual([0]);
    expect(trained.endpoints.get('inceptionA')).toBe(0);
    expect(trained.endpoints.has('stem')).toBe(false);
  });

  it('has a boundary for each reader and each result that is kept', () => {
    expect(split('reductionB').boundaries).toEqual(['inceptionB', 'reductionB']);
    expect(split('reductionA', ['stem', 'logits']).boundaries).toEqual(['stem', 'reductionA']);
  });
});
