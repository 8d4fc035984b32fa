/** Fills a training's store from the weights that it starts from. */
import type { Store } from '../../engine/engine.ts';
import { classifierParameters, type Graph, parametersOf } from '../../graph/graph.ts';
import { initialValues, startAverages } from '../../model/initialise.ts';
import type { ModelFile } from '../../model/model-file.ts';
import { hasSameHidden, hiddenParameters, keptRowsOf, withKeptRows } from './kept-classes.ts';

/**
 * Writes the weights and moving statistics of the model, and initial values where it has none: rows of the classifier for new
 * classes, other hidden layers, a new auxiliary classifier. The averages begin as these weights.
 */
export async function fillStore(
  store: Store,
  {
    model,
    graph,
    classes,
    seed,
  }: { model: ModelFile; graph: Graph; classes: readonly string[]; seed: number },
): Promise<void> {
  const rows = keptRowsOf(graph, { classes, model });
  const isNew = new Set(
    hasSameHidden(graph, model.graph) ? [] : hiddenParameters(graph).map(({ name }) => name),
  );
  const classifier = new Set(classifierParameters(graph).map(({ name }) => name));
  const trained = new Map(parametersOf(model.graph).map((parameter) => [parameter.name, parameter]));
  for (const parameter of parametersOf(graph)) {
    const { name, shape } = parameter;
    const source = trained.get(name);
    const values = source && !isNew.has(name) ? await model.read(source) : undefined;
    if (values && !classifier.has(name)) await store.write(name, values);
    else {
      const fresh = initialValues(parameter, seed);
      await store.write(name, values ? withKeptRows(fresh, { trained: values, rows, shape }) : fresh);
    }
  }
  await startAverages(store);
  await store.seed(seed);
}
