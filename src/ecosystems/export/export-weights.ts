/** Writes a model under the names and in the layout of another ecosystem. */
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { elementCount, type Parameter, parametersOf } from '../../graph/graph.ts';
import { graphOf, type ModelDescription } from '../../model/description.ts';
import type { ModelFile } from '../../model/model-file.ts';
import { findNetwork } from '../../networks/networks.ts';
import { layersIn, type Network } from '../../networks/notation.ts';
import { replaceText } from '../../replace-file.ts';
import { type TensorSource, writeSafetensors } from '../../weights/safetensors/safetensors.ts';
import type { Dialect } from '../dialect.ts';
import { type DialectName, dialectOptions, findDialect, namesIn } from '../dialects.ts';
import { type Layout, shapeIn, toLayout } from '../layouts.ts';
import { foldGammas, gammasOf } from './fold-gammas.ts';
import { hubConfig } from './hub-config.ts';

export interface ExportedParameter {
  readonly parameter: string;
  readonly to: string;
  readonly shape: readonly number[];
  readonly note: string | undefined;
}

/** The result of an export. */
export interface ExportReport {
  /** Paths of the files written. */
  readonly files: readonly string[];
  readonly parameters: readonly ExportedParameter[];
  /** How the other implementation's results will differ with the same weights, as sentences; empty if no difference is known. */
  readonly differences: readonly string[];
  /** What was changed so that the other implementation gives the same results, as sentences. */
  readonly decisions: readonly string[];
}

/**
 * Writes a model with a dialect's names and layout, as safetensors. If `output` is a folder (`…/`, or one that exists), the
 * file is `model.safetensors`, with a `config.json` beside it for dialects that are on the hub.
 * @throws NamesError if the dialect does not have the network or some of its parameters.
 */
export async function exportWeights(
  model: ModelFile,
  { to, output }: { to: DialectName; output: string },
): Promise<ExportReport> {
  const { graph, description } = model;
  const dialect = findDialect(to);
  const { layout } = dialect;
  const isFolded = graph.network.gamma && !dialect.gamma;
  const source = isFolded ? foldGammas(model) : { ...model, folded: new Map<string, Parameter>() };
  const names = namesIn(to, source.graph);
  const tensors = parametersOf(source.graph).map((parameter) => ({
    parameter,
    name: names.get(parameter.name) as string,
    dtype: 'F32',
    shape: shapeIn(layout, parameter),
    read: async () => toLayout(layout, parameter, await source.read(parameter)),
  }));
  // The dialect's layers always have a gamma: ones change nothing.
  const gammas = dialect.gamma && !graph.network.gamma ? onesFor(description, dialect) : [];
  const folder = output.endsWith('/') || (await stat(output).catch(() => undefined))?.isDirectory();
  const file = folder ? join(output, 'model.safetensors') : output;
  if (folder) await mkdir(output, { recursive: true });
  await writeSafetensors(file, { tensors: [...tensors, ...gammas], metadata: { format: 'pt' } });
  const files = [file];
  const config = folder ? hubConfig(description, dialect) : undefined;
  if (config !== undefined) {
    files.push(join(output, 'config.json'));
    await replaceText(join(output, 'config.json'), config);
  }
  return {
    files,
    parameters: [
      ...tensors.map(({ parameter, name, shape }) => ({
        parameter: parameter.name,
        to: name,
        shape,
        note: noteOf(parameter, { layout, isFolded: source.folded.has(parameter.name) }),
      })),
      ...gammas.map(({ name, shape }) => ({ parameter: '–', to: name, shape, note: 'ones' })),
    ],
    differences: differencesIn(model, dialect),
    decisions: isFolded
      ? [
          `${model.source}: ${gammasOf(graph).length} gammas folded into the convolutions before them: batch normalisation has none in ${dialect.name}'s ${graph.network.name}`,
        ]
      : [],
  };
}

function noteOf(
  { shape }: Parameter,
  { layout, isFolded }: { layout: Layout; isFolded: boolean },
): string | undefined {
  const notes = [
    ...(layout === 'torch' || shape.length === 1 ? [] : ['transposed']),
    ...(isFolded ? ['times gamma'] : []),
  ];
  return notes.length === 0 ? undefined : notes.join(', ');
}

/** The other implementation accepts the weights, but computes something else with them. */
export function differencesIn(
  { graph, source }: Pick<ModelFile, 'graph' | 'source'>,
  dialect: Dialect,
): string[] {
  const { countPadding, name } = graph.network;
  const theirs = dialectOptions(dialect, name);
  const pads = graph.nodes.some(
    (node) => node.op === 'avgPool' && node.attributes.padding.some((side) => side > 0),
  );
  const differences: string[] = [];
  if (pads && countPadding !== (theirs.countPadding ?? false))
    differences.push(
      `${source}: average pooling ${countPadding ? 'counts' : 'does not count'} its padding here, but ${theirs.countPadding ? 'does' : 'does not'} in ${dialect.name}'s ${name}: results will differ`,
    );
  if (layersIn(Object.values(graph.network.layers)).some((layer) => 'shortcut' in layer && !layer.shortcut))
    differences.push(
      `${source}: residual blocks have no shortcuts here, but do in ${dialect.name}'s ${name}: results will differ`,
    );
  const [ours, drawn] = [graph.network, findNetwork(name)].map(residualScalesOf) as [string, string];
  if (ours !== drawn)
    differences.push(
      `${source}: residuals are scaled by ${ours} here, but by ${drawn} in ${dialect.name}'s ${name}: results will differ`,
    );
  return differences;
}

/** In the order of the figure, where a scale is no parameter: `0.17, 0.1, 0.2, 1`. */
const residualScalesOf = ({ layers }: Pick<Network, 'layers'>): string =>
  layersIn(Object.values(layers))
    .flatMap((layer) => (layer.kind === 'residual' ? [layer.scale] : []))
    .join(', ');

/** Gammas of one, for a network without gammas. */
function onesFor({ network, options }: ModelDescription, { name }: Dialect<DialectName>): TensorSource[] {
  const graph = graphOf({ network, options: { ...options, gamma: true } });
  const names = namesIn(name, graph);
  return parametersOf(graph)
    .filter(({ role }) => role === 'gamma')
    .map((gamma) => ({
      name: names.get(gamma.name) as string,
      dtype: 'F32',
      shape: gamma.shape,
      read: () => new Float32Array(elementCount(gamma.shape)).fill(1),
    }));
}
