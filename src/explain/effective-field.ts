/**
 * The effective receptive field of a trained network (Luo, Li, Urtasun and Zemel, arXiv 1701.04128): by how much each pixel of an image
 * changes the unit in the middle of a part, where the windows alone say only whether it can.
 */
import { fieldOfUnit, type PixelBox } from '../graph/receptive-fields.ts';
import type { ValueMap } from '../images/heatmap/heatmap.ts';
import type { Box, Image } from '../images/image.ts';
import { inputBytes, preprocess, seenBox } from '../images/preprocess.ts';
import { ModelError } from '../model/description.ts';
import type { LoadedModel } from '../predict/load-model.ts';
import { choosePart } from './choose-part.ts';

/** What a unit's value depends on in an image. */
export interface EffectiveField {
  readonly part: string;
  /** The unit in the middle of the part's grid. */
  readonly unit: { readonly row: number; readonly column: number };
  /** Pixels of the network's input that it can depend on, by the windows. */
  readonly windows: PixelBox;
  /** Side of a square, in pixels of the input, of as many pixels as change the unit by more than 4.55% of what the strongest does. */
  readonly effectiveSide: number;
  /** For each pixel of the input: the mean over its channels of the absolute gradient of the sum of the unit's channels. */
  readonly map: ValueMap;
  /** The largest value of the map. */
  readonly top: number;
  /** The part of the image that the network sees, in the image's pixels. */
  readonly box: Box;
  readonly notices: readonly string[];
}

/** The paper counts a pixel from 1 − 95.45% of the largest value on: two standard deviations of a Gaussian. */
const threshold = 1 - 0.9545;

/**
 * The effective receptive field of a part's middle unit, at an image.
 * @throws UsageError for a part without a grid, ModelError for gradients that are not numbers
 */
export async function effectiveField(
  model: LoadedModel,
  image: Image,
  { part: name }: { readonly part: string },
): Promise<EffectiveField> {
  const { graph, description, source } = model;
  const { preprocessing } = description;
  const { part } = choosePart(graph, name);
  const id = graph.endpoints.get(part.name) as number;
  const channels = graph.nodes[id]?.shape[2] as number;
  const unit = { row: Math.floor(part.height / 2), column: Math.floor(part.width / 2) };
  const cells = part.height * part.width;
  const partWeights = new Float32Array(channels * cells);
  for (let channel = 0; channel < channels; channel++)
    partWeights[channel * cells + unit.row * part.width + unit.column] = 1;
  const input = new Uint8Array(inputBytes(preprocessing));
  preprocess(image, preprocessing, input);
  const { shape, data } = await model.partGradient(input, { part: part.name, partWeights });
  const map = meanOfChannels(shape, data as Float32Array);
  const top = map.values.reduce((most, value) => (value > most || Number.isNaN(value) ? value : most), 0);
  if (!Number.isFinite(top)) throw new ModelError(`${source}: the gradients of this image are not numbers`);
  const count = map.values.reduce((sum, value) => sum + (value > threshold * top ? 1 : 0), 0);
  return {
    ...{ part: part.name, unit, windows: fieldOfUnit(graph, id, unit), map, top },
    effectiveSide: Math.sqrt(count),
    box: seenBox(image, preprocessing),
    notices: top === 0 ? [`no pixel of this image changes the unit in the middle of ${part.name}`] : [],
  };
}

function meanOfChannels(shape: readonly number[], data: Float32Array): ValueMap {
  const [, channels = 0, height = 0, width = 0] = shape;
  const pixels = height * width;
  const values = new Float32Array(pixels);
  data.forEach((value, at) => {
    values[at % pixels] = (values[at % pixels] as number) + Math.abs(value) / channels;
  });
  return { height, width, values };
}

/** What an effective field is of, in one line. */
export function describeEffectiveField({ part, unit, windows, effectiveSide }: EffectiveField): string {
  const { top, left, bottom, right } = windows;
  const size = `${bottom - top + 1}×${right - left + 1}`;
  const side = Math.round(effectiveSide);
  return `receptive field of ${part}, unit ${unit.row},${unit.column}: ${size} pixels by its windows, about ${side}×${side} by gradients`;
}
