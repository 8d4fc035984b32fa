/** `inception embed` and `inception similar`: images as vectors, and the nearest of them. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { DataError } from '../../../data/data-error.ts';
import { loadFeatureModel } from '../../../features/feature-model.ts';
import { classifierInput, findPart } from '../../../features/parts.ts';
import { checkEmbeddingsFile, writeEmbeddings } from '../../../features/write-embeddings.ts';
import { nearestNeighbours } from '../../../probe/nearest-neighbours.ts';
import { addEngineOptions, type EngineOptions, openEngine } from '../../options/engine-options.ts';
import { modelArgument, noticesTo } from '../../options/model-options.ts';
import { grouped } from '../../output/format.ts';
import { onInterruption } from '../../signals.ts';
import { addOutput, wholeNumber } from '../../usage.ts';
import { type FeatureWork, featuresOfImages } from './image-features.ts';

type Values = EngineOptions & { readonly features: string };

const featuresAbout = `part of the network whose output, averaged over its grid, is the vector: '${classifierInput}', what the classifier reads, or a part as inceptionB`;

export function addEmbed(program: Command): void {
  const embed = program
    .command('embed')
    .description('write vectors of any number of images to a file')
    .argument('<model>', modelArgument)
    .argument('<image...>', 'image files, folders of them, or patterns such as "photos/**/*.jpg"');
  addOutput(embed, { value: 'file', about: 'file to write: .safetensors or .npy' }).option(
    '--features <part>',
    featuresAbout,
    classifierInput,
  );
  addEngineOptions(embed).action(runEmbed);
  const similar = program
    .command('similar')
    .description('find the images that are most similar to an image')
    .argument('<model>', modelArgument)
    .argument('<image>', 'an image file')
    .requiredOption('--in <image...>', 'image files, folders of them, or patterns to search')
    .option('--top <k>', 'number of images', wholeNumber('--top'), 10)
    .option('--features <part>', featuresAbout, classifierInput)
    .option('--json', 'print JSON');
  addEngineOptions(similar).action(runSimilar);
}

async function runEmbed(
  path: string,
  names: readonly string[],
  values: Values & { readonly output: string },
): Promise<void> {
  const { output } = values;
  checkEmbeddingsFile(output);
  await withModel(path, values, async (work) => {
    const { files, values: rows, broken } = await featuresOfImages(names, work);
    const { name: features, length } = work.part;
    const { source: model } = work.model;
    await writeEmbeddings(output, {
      values: rows,
      files,
      length,
      description: { model, features, precision: work.model.precision },
    });
    if (broken.length > 0) process.exitCode = 1;
    work.say(
      `${output}: ${grouped(files.length)} images, ${grouped(length)} values each${broken.length > 0 ? `; ${grouped(broken.length)} could not be decoded` : ''}`,
    );
  });
}

async function runSimilar(
  path: string,
  image: string,
  values: Values & { readonly in: readonly string[]; readonly top: number; readonly json?: boolean },
): Promise<void> {
  await withModel(path, values, async (work) => {
    const query = await featuresOfImages([image], work);
    if (query.files.length !== 1)
      throw new DataError(`${image}: expected one image, received ${query.files.length}`);
    const reference = await featuresOfImages(values.in, work);
    if (reference.broken.length > 0) process.exitCode = 1;
    if (reference.files.length === 0) throw new DataError(`${values.in.join(', ')}: no images to search`);
    const { rows, similarities, count } = await nearestNeighbours(work.engine, {
      reference: reference.values,
      queries: query.values,
      features: work.part.length,
      // The image itself may be among them.
      count: values.top + 1,
    });
    const own = resolve(query.files[0] as string);
    const found = Array.from({ length: count }, (_, at) => ({
      file: reference.files[rows[at] as number] as string,
      similarity: similarities[at] as number,
    }))
      .filter(({ file }) => resolve(file) !== own)
      .slice(0, values.top);
    process.stdout.write(
      values.json
        ? `${JSON.stringify(found, null, 2)}\n`
        : found.map(({ file, similarity }) => `${similarity.toFixed(4)}  ${file}\n`).join(''),
    );
  });
}

async function withModel(
  path: string,
  values: Values,
  action: (work: FeatureWork) => Promise<void>,
): Promise<void> {
  const notices = noticesTo(process.stderr);
  const say = (line: string) => notices.onNotice?.(line);
  const interruption = onInterruption();
  const { signal } = interruption;
  const engine = await openEngine(values);
  try {
    const model = await loadFeatureModel(path, {
      engine,
      ...(values.precision !== 'auto' && { precision: values.precision }),
      ...notices,
    });
    const part = findPart(model.graph, values.features);
    await action({ engine, model, part, signal, say });
  } catch (error) {
    interruption.throwIfInterrupted(
      'interrupted; features that were computed are kept, and the same command continues',
    );
    throw error;
  } finally {
    interruption.end();
    notices.end();
    await engine.close();
  }
}
