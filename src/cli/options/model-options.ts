/** What the commands that take a MODEL have in common. */
import type { SingleBar } from 'cli-progress';
import { UsageError } from '../../errors.ts';
import { type CropCount, cropCounts } from '../../images/crops.ts';
import type { Notices } from '../../model/model-file.ts';
import { short } from '../output/format.ts';
import { openBar } from '../output/progress-bar.ts';

export const modelArgument = 'a run folder, a .safetensors, .h5, .pth or TensorFlow file, or hub:owner/name';

/** Of the commands that only predict. */
export const predictingArgument = `an .onnx file, ${modelArgument}`;

export function readCrops(text: string): CropCount {
  const found = cropCounts.find((count) => String(count) === text);
  if (found === undefined)
    throw new UsageError(`--crops: expected ${cropCounts.join(', ')}, received '${text}'`);
  return found;
}

/** Downloads and assumptions, told on standard error: a bar on a terminal, a line for each file elsewhere. */
export function noticesTo(output: NodeJS.WriteStream): Notices & { end(): void } {
  let bar: { readonly file: string; readonly bar: SingleBar } | undefined;
  const end = () => {
    bar?.bar.stop();
    bar = undefined;
  };
  let told = '';
  return {
    end,
    onNotice: (line) => {
      end();
      output.write(`${line}\n`);
    },
    onProgress: ({ file, done, total }) => {
      if (!output.isTTY) {
        if (told !== file)
          output.write(`downloading ${file}${total === undefined ? '' : ` (${short(total)}B)`}\n`);
        told = file;
        return;
      }
      if (bar?.file !== file) {
        end();
        const opened = openBar(output, `${file} {bar} {percentage}%  {shown} of {whole}`);
        if (!opened) return;
        bar = { file, bar: opened };
        bar.bar.start(total ?? 1, done, { shown: `${short(done)}B`, whole: `${short(total ?? 0)}B` });
      }
      bar.bar.update(done, { shown: `${short(done)}B`, whole: `${short(total ?? 0)}B` });
      if (done === total) end();
    },
  };
}
