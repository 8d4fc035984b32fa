/** A model becomes a repository on the hub: weights, config.json and a card, in one commit. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportWeights } from '../ecosystems/export-weights.ts';
import { differencesWith, misfit } from '../ecosystems/fit-dialect.ts';
import { ownConfig } from '../ecosystems/import/hub-folder.ts';
import { UsageError } from '../errors.ts';
import { parametersOf } from '../graph/graph.ts';
import { hubSettings, parseHubName } from '../hub/hub.ts';
import { type Pushed, pushFiles, withToken } from '../hub/push/push-files.ts';
import type { ModelFile, Notices } from '../model/model-file.ts';
import { writeModel } from '../model/write-model.ts';
import { openModel } from '../predict/open-model.ts';
import { readRunFacts } from '../train/card/read-run-facts.ts';
import { writeCard } from '../train/card/write-card.ts';
import { RunFolder } from '../train/run/run-folder.ts';

export const pushForms = ['timm', 'inception-networks'] as const;
/** `timm`: names and config.json of timm, which loads it. `inception-networks`: this package's own file, with every option. */
export type PushForm = (typeof pushForms)[number];

/** How a model is uploaded to the hub. */
export interface PushModelOptions extends Notices {
  /** Default: timm's where timm computes the same from it, otherwise this package's; which one is said. */
  readonly form?: PushForm;
  /** Of the hub's list: `mit`, `apache-2.0`, … Default `unknown`. */
  readonly license?: string;
  /** Creates a private repository. */
  readonly private?: boolean;
  /** The commit's first line. */
  readonly summary?: string;
  readonly signal?: AbortSignal;
}

/** What was uploaded, in which form and why. */
export interface PushedModel extends Pushed {
  readonly form: PushForm;
  readonly files: readonly string[];
}

/**
 * Uploads a MODEL to `hub:owner/name`, which is created if it is not there. HF_TOKEN is the token, as for downloads.
 * @throws HubError, and nothing is committed; UsageError for a form that the model does not have
 */
export async function pushModel(
  path: string,
  name: string,
  options: PushModelOptions = {},
): Promise<PushedModel> {
  const { repository, revision } = parseHubName(name);
  const settings = await hubSettings();
  // The model may be large, and without a token nothing would come of it.
  withToken(settings, repository);
  const model = await openModel(path, options);
  const folder = await mkdtemp(join(tmpdir(), 'inception-push-'));
  try {
    const form = chooseForm(model, options);
    const config = join(folder, 'config.json');
    const weights = join(folder, 'model.safetensors');
    if (form === 'timm') await exportWeights(model, { to: 'timm', output: `${folder}/` });
    else {
      const { description, graph, read } = model;
      await writeModel(weights, { description, read, parameters: parametersOf(graph) });
      await writeFile(config, ownConfig(description));
    }
    const run = (await isRun(path)) ? await readRunFacts(path) : undefined;
    const { license } = options;
    await writeCard(folder, { description: model.description, run, form, repository, license });
    const files = ['README.md', 'config.json', 'model.safetensors'];
    const pushed = await pushFiles({
      ...{ repository, revision, settings },
      files: files.map((file) => ({ path: file, file: join(folder, file) })),
      private: options.private ?? false,
      summary: options.summary ?? `Add ${model.description.network}`,
      ...(options.onNotice && { onNotice: options.onNotice }),
      ...(options.signal && { signal: options.signal }),
    });
    return { ...pushed, form, files };
  } finally {
    await model.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A folder in timm's form has a config.json, too, but not a run's. */
const isRun = (path: string): Promise<boolean> =>
  new RunFolder(path).configuration().then(
    () => true,
    () => false,
  );

/** @throws UsageError if timm's is asked for and cannot be */
function chooseForm(model: ModelFile, { form, onNotice }: PushModelOptions): PushForm {
  const other = misfit(model, 'timm');
  if (form === 'timm' && other !== undefined) throw new UsageError(`form: ${model.source}: ${other}`);
  if (form === 'inception-networks') return form;
  const differences = other === undefined ? differencesWith(model, 'timm') : [other];
  if (form === 'timm' || differences.length === 0) {
    for (const difference of differences) onNotice?.(difference);
    return 'timm';
  }
  onNotice?.(`in this package's own form, not timm's: ${differences.join('; ')}`);
  return 'inception-networks';
}
