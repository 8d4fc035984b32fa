/** What the page of one run shows besides its curves: the configuration against its recipe, checkpoints, the model card. */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseConfiguration } from '../train/configuration/configuration.ts';
import { repeatCommand } from '../train/configuration/repeat-command.ts';
import { recipeNames, resolveRecipe } from '../train/recipe/recipe.ts';
import type { AboutRun, SettingOfRun } from './api.ts';
import { readText, statusOf } from './run-file.ts';
import { flatten, limits } from './runs.ts';

/** @throws RunFileError, or a configuration's error */
export async function aboutRun(folder: string): Promise<AboutRun> {
  const text = (await readText(folder, 'config.json', limits.configuration)) ?? '';
  const configuration = parseConfiguration(text, 'config.json');
  const { recipe, network, options, data, seed, precision, device, threads, versions } = configuration;
  const { limitTrain, limitValidation = null, limitTest, decisions = [], files } = configuration;
  // The learning rate of a recipe follows its batch, which is compared by itself.
  const usual = recipeNames.includes(recipe.name)
    ? flatten(resolveRecipe(recipe.name, { batch: recipe.batch }))
    : undefined;
  const own = recipeNames.includes(recipe.name) ? String(resolveRecipe(recipe.name).batch) : undefined;
  const recipeSettings = Object.entries(flatten(recipe)).map(([name, value]): SettingOfRun => {
    const usualValue = name === 'batch' ? own : usual?.[name];
    return usual && usualValue !== value
      ? { name, value, usual: usualValue ?? 'not in the recipe' }
      : { name, value };
  });
  const others = flatten({
    options,
    seed,
    precision,
    device,
    threads,
    limitTrain,
    limitValidation,
    limitTest,
  });
  return {
    network,
    options,
    data,
    images: Object.fromEntries(Object.entries(files ?? {}).map(([split, { images }]) => [split, images])),
    recipe: recipeSettings,
    settings: Object.entries(others).map(([name, value]) => ({ name, value })),
    decisions,
    versions,
    machine: configuration.machine,
    repeat: repeatCommand(configuration, { output: `${basename(folder)}-again` }),
    checkpoints: await checkpointsOf(folder),
    card: await readText(folder, 'README.md', { maxBytes: 2 ** 20 }),
  };
}

async function checkpointsOf(folder: string): Promise<AboutRun['checkpoints']> {
  const inside = await readdir(join(folder, 'checkpoints'), { withFileTypes: true }).catch(() => []);
  const names = inside
    .filter((entry) => entry.isFile() && /^\d+\.safetensors$/.test(entry.name))
    .map(({ name }) => `checkpoints/${name}`)
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const found = await Promise.all(
    [...names, 'model.safetensors', 'last.safetensors'].map(async (name) => {
      const status = statusOf(folder, name);
      return status?.isFile() ? [{ name, bytes: status.size, changed: status.mtimeMs }] : [];
    }),
  );
  return found.flat();
}
