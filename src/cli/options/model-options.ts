/** Shared by the commands that take a MODEL. */
import type { SingleBar } from 'cli-progress';
import { UsageError } from '../../errors.ts';
import { type CropCount, cropCounts } from '../../images/crops.ts';
import type { Notices } from '../../model/model-file.ts';
import { printable } from '../../printable.ts';
import { short } from '../output/format.ts';
import { openBar } from '../output/progress-bar.ts';

export const modelArgument =
  'a run folder, a .safetensors, .h5, .pth or TensorFlow file, a TensorFlow.js model, or hub:owner/name';

/** For the commands that only predict. */
export const predictingArgument = `an .onnx file, ${modelArgument}`;

export function readCrops(text: string): CropCount {
  const crops = cropCounts.find((count) => String(count) === text);
  if (crops === undefined)
    throw new UsageError(`--crops: expected ${cropCounts.join(', ')}, received '${text}'`);
  return crops;
}

/** Prints notices and download progress: a bar on a terminal, otherwise a line per file. */
/** Of a process of a group that is not the first one. */
export const noNotices: Required<Notices> & { end(): void } = {
  end: () => undefined,
  onNotice: () => undefined,
  onProgress: () => undefined,
};

export function noticesTo(output: NodeJS.WriteStream): Notices & { end(): void } {
  let bar: { readonly file: string; readonly bar: SingleBar } | undefined;
  const end = () => {
    bar?.bar.stop();
    bar = undefined;
  };
  let lastFile = '';
  return {
    end,
    onNotice: (line) => {
      end();
      output.write(`${printable(line)}\n`);
    },
    onProgress: ({ file, done, total }) => {
      if (!output.isTTY) {
        if (lastFile !== file)
          output.write(`downloading ${file}${total === undefined ? '' : ` (${short(total)}B)`}\n`);
        lastFile = file;
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
