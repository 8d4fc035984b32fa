/** What a network will see: a sheet of training images as the recipe changes them. */
import { describeAugmentation } from '../../images/augmentation/describe.ts';
import type { Notices } from '../../model/model-file.ts';
import { createConfiguration } from '../configuration/create-configuration.ts';
import { RunFolder } from '../run/run-folder.ts';
import { openRunData } from '../run-data.ts';
import { openStartingWeights } from '../starting/starting-weights.ts';
import type { TrainOptions } from '../train-options.ts';
import { previewRows } from './draws.ts';
import { drawSheet } from './sheet.ts';

/** No engine is needed, and nothing of it is kept. */
const noEngine = { device: 'cpu', threads: 1, libtorch: '', fastBfloat16: false } as const;

/**
 * A PNG of six training images, each whole and as the first six epochs of this training will show it. Trains nothing, and writes nothing.
 * @throws the errors of `train` for options and data that it would refuse.
 */
export async function previewTraining(options: TrainOptions, notices: Notices = {}): Promise<Uint8Array> {
  const { weights } = options;
  const starting = weights === undefined ? undefined : await openStartingWeights(weights, notices);
  try {
    const { precision: _, ...rest } = options;
    const configuration = await createConfiguration(rest, noEngine, { starting });
    const { preprocessing, recipe, seed, network } = configuration;
    const folder = new RunFolder(options.out);
    const { train: dataset } = await openRunData({ configuration, folder, resume: false });
    const { augmentation } = recipe;
    const { size } = preprocessing;
    const rows = await previewRows(dataset, { augmentation, size, seed, rows: 6, epochs: 6 });
    return await drawSheet(rows, {
      title: `What ${network} will see of ${dataset.name}: ${size[1]}×${size[0]} pixels, recipe ${recipe.name}, seed ${seed}`,
      notes: [
        `augmentation: ${describeAugmentation(augmentation)}`,
        ...(rows.some(({ draws }) => draws.some(({ labels }) => labels.length > 1))
          ? [
              'mixed here with the image of the row above, in the training with the one before it in its batch',
            ]
          : []),
      ],
    });
  } finally {
    await starting?.model.close();
  }
}
