/** `inception explain`: the parts of an image that its label depends on. */
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { decodeImage, encodePng } from '../../../data/decode.ts';
import { UsageError } from '../../../errors.ts';
import {
  describeExplanation,
  drawEffectiveField,
  drawExplanation,
} from '../../../explain/draw-explanation.ts';
import { describeEffectiveField, effectiveField } from '../../../explain/effective-field.ts';
import { type ExplanationMethod, explain, explanationMethods } from '../../../explain/explain.ts';
import { modelKind } from '../../../model/model-kind.ts';
import { loadModel } from '../../../predict/load-model.ts';
import { openModel } from '../../../predict/open-model.ts';
import { replaceFile } from '../../../replace-file.ts';
import { addFloat32EngineOptions, type EngineOptions, openEngine } from '../../options/engine-options.ts';
import { modelArgument, noticesTo } from '../../options/model-options.ts';
import { addOutput, oneOf, wholeNumber } from '../../usage.ts';

type Values = Omit<EngineOptions, 'precision'> & {
  output: string;
  method: ExplanationMethod | typeof fieldMethod;
  part?: string;
  class?: string;
  samples?: number;
  json?: boolean;
};

/** Of a unit inside the network rather than of a label. */
const fieldMethod = 'receptive-field';

const methods = [...explanationMethods, fieldMethod] as const;

export function addExplain(program: Command): void {
  const command = program
    .command('explain')
    .description('draw which parts of an image its label depends on')
    .argument('<model>', modelArgument)
    .argument('<image>', 'image file');
  addOutput(command, { value: 'file', about: 'a .png file: the image under its heatmap, with a legend' })
    .option('--method <method>', `method: ${methods.join(', ')}`, oneOf('--method', methods), 'grad-cam')
    .option(
      '--part <part>',
      'part of the network that grad-cam looks at (default: the last with a grid of more than one cell), or whose middle unit receptive-field does',
    )
    .option(
      '--class <label>',
      'label, its identifier, or the number of an output (default: the most probable)',
    )
    .option('--samples <n>', 'noisy copies for smooth-grad (default: 25)', wholeNumber('--samples', 2))
    .option('--json', 'print JSON, with the values of the map');
  addFloat32EngineOptions(command)
    .addHelpText(
      'after',
      `
Computed by libtorch in float32, through the single crop of the model's preprocessing; what lies outside it is dark.

Examples:
  inception explain runs/photos cat.jpg -o heatmap.png
  inception explain runs/photos cat.jpg -o dog.png --class dog --part inceptionB
  inception explain hub:timm/inception_v4.tf_in1k cat.jpg -o pixels.png --method smooth-grad
  inception explain runs/photos cat.jpg -o field.png --method receptive-field --part inceptionA`,
    )
    .action(run);
}

async function run(path: string, file: string, values: Values): Promise<void> {
  const { output, method, part, class: label, samples, json } = values;
  if (!/\.png$/i.test(output))
    throw new UsageError(`--output: expected a file that ends in .png, received '${output}'`);
  if (modelKind(path) === 'onnx')
    throw new UsageError(
      `${path}: an ONNX file has no gradients; expected a model with weights: a run folder, a .safetensors file, or hub:owner/name`,
    );
  checkFieldOptions(values);
  const notices = noticesTo(process.stderr);
  const opened = await openModel(path, notices);
  try {
    const image = await decodeImage(file);
    const save = async (
      drawn: Awaited<ReturnType<typeof drawExplanation>>,
      path: string,
      lines: readonly string[],
    ) => {
      for (const notice of lines) notices.onNotice?.(notice);
      if (!drawn.legible)
        notices.onNotice?.(`${path} has no text: no font is installed here (fontconfig finds none)`);
      const bytes = await encodePng(drawn.image);
      await replaceFile(path, (temporary) => writeFile(temporary, bytes));
    };
    const engine = await openEngine(values);
    try {
      const model = await loadModel(opened, { engine, precision: 'float32' });
      if (method === fieldMethod) {
        const field = await effectiveField(model, image, { part: part as string });
        const drawn = await drawEffectiveField(image, field);
        await save(drawn, output, [...field.notices]);
        const { map, ...facts } = field;
        const about = { model: opened.source, file, output, method };
        process.stdout.write(
          json
            ? `${JSON.stringify({ ...about, ...facts, map: { ...map, values: [...map.values] } }, null, 2)}\n`
            : `${file}: ${describeEffectiveField(field)}, in ${output}\n`,
        );
        return;
      }
      const options = {
        method,
        ...(part !== undefined && { part }),
        ...(samples !== undefined && { samples }),
      };
      const explanation = await explain(model, image, {
        ...options,
        ...(label !== undefined && { class: label }),
      });
      await save(await drawExplanation(image, explanation), output, explanation.notices);
      const { map, ...facts } = explanation;
      process.stdout.write(
        json
          ? `${JSON.stringify({ model: opened.source, file, output, ...facts, map: { ...map, values: [...map.values] } }, null, 2)}\n`
          : `${file}: ${describeExplanation(explanation)}, in ${output}\n`,
      );
    } finally {
      await engine.close();
    }
  } finally {
    notices.end();
    await opened.close();
  }
}

/** The field of a unit has no label, and no part would be an obvious one. */
function checkFieldOptions({ method, part, class: label, samples }: Values): void {
  if (method !== fieldMethod) return;
  if (part === undefined)
    throw new UsageError(
      "--part: expected a part of the network for --method receptive-field, as inceptionA; 'inception summary' lists them",
    );
  if (label !== undefined)
    throw new UsageError('--class: has no effect with --method receptive-field, which looks at no label');
  if (samples !== undefined) throw new UsageError('--samples: has no effect with --method receptive-field');
}
