/** What a node or a parameter is stands in the graph. Nothing may decide it by how its name is spelt. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configure, findNetwork, networks } from '../networks/networks.ts';
import { buildGraph } from './build-graph.ts';
import { classifierParameters, firstConvolutions, parametersOf, parametersOfHead } from './graph.ts';

const root = new URL('../../', import.meta.url);

const sources = ['src', 'web/src'].flatMap((folder) =>
  readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file) && !/\.test\.tsx?$/.test(file))
    .map((file) => `${folder}/${file}`),
);

/** These translate names into another ecosystem's, and so are about names. */
const translations = /^src\/ecosystems\/(keras\.ts|names\/)/;

/** A comparison, or a regular expression, with a piece of a layer's or a parameter's name in it. */
const layerWords =
  '(auxiliary|logits|stem|embedding|branch|linear|preprocessing|weight|bias|gamma|beta|moving\\w*|inception\\w*|reduction\\w*)';
const suspects: readonly RegExp[] = [
  new RegExp(`\\.(startsWith|endsWith|includes|indexOf)\\(['"\`]/?${layerWords}(/|['"\`])`),
  new RegExp(`[!=]== ['"\`]${layerWords}/`),
  new RegExp(`/\\^?[^/\\n]*${layerWords}\\\\/[^\\n]*/[a-z]*\\.(test|exec)\\(`),
  new RegExp(`\\\\/${layerWords}[^\\n]*/[a-z]*\\.(test|exec)\\(`),
];

describe('the sources', () => {
  it.each([
    "node.path.startsWith('auxiliary/')",
    "!path.includes('branch')",
    "name === 'stem/concat2'",
    '/^(auxiliary\\/)?logits\\//.test(parameter.name)',
    '/\\/linear\\/weight$/.test(name)',
    "name.endsWith('/linear/weight')",
    '/\\/moving(Mean|Variance)(\\+|$)/.test(name)',
    "node.name.startsWith('preprocessing/')",
  ])('would be caught at %s', (line) => {
    expect(suspects.some((suspect) => suspect.test(line))).toBe(true);
  });

  it('decide nothing by the spelling of a name', () => {
    expect(sources.length).toBeGreaterThan(200);
    const found = sources
      .filter((file) => !translations.test(file))
      .flatMap((file) =>
        readFileSync(new URL(file, root), 'utf8')
          .split('\n')
          .filter((line) => suspects.some((suspect) => suspect.test(line)))
          .map((line) => `${file}: ${line.trim()}`),
      );
    expect(found).toEqual([]);
  });
});

describe.each(networks.map(({ name }) => name))('the graph of %s says', (name) => {
  const graph = buildGraph(configure(findNetwork(name), { auxiliary: true }));
  const names = (parameters: readonly { name: string }[]) => parameters.map((parameter) => parameter.name);

  it('which parameters make the classifier', () => {
    expect(names(classifierParameters(graph))).toEqual([
      'logits/weight',
      'logits/bias',
      'auxiliary/logits/weight',
      'auxiliary/logits/bias',
    ]);
    const without = buildGraph(configure(findNetwork(name), { classes: 0 }));
    expect(classifierParameters(without)).toEqual([]);
  });

  it('which convolution reads the images', () => {
    expect(firstConvolutions(graph).map(({ path }) => path)).toEqual(['stem/conv1']);
  });

  it('which parameters are the auxiliary head’s', () => {
    const head = names(parametersOfHead(graph, 'auxiliary'));
    expect(head).toEqual(names(parametersOf(graph)).filter((each) => each.startsWith('auxiliary/')));
    expect(head.length).toBeGreaterThan(0);
  });

  it('which weights end a residual block', () => {
    const residual = parametersOf(graph).filter(({ role }) => role === 'residualWeight');
    const sums = graph.nodes.filter(({ op }) => op === 'scaledAdd');
    expect(residual).toHaveLength(sums.length);
    expect(residual.every((parameter) => parameter.name.endsWith('/linear/weight'))).toBe(true);
  });
});
