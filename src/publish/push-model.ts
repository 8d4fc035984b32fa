/** A model becomes a repository on the hub: weights, config.json and a card, in one commit. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DialectName, hubDialectNames } from '../ecosystems/dialects.ts';
import { exportWeights } from '../ecosystems/export/export-weights.ts';
import { cardLibrary, differencesWith, misfit } from '../ecosystems/export/fit-dialect.ts';
import { ownConfig } from '../ecosystems/import/hub-folder.ts';
import { UsageError } from '../errors.ts';
import { parametersOf } from '../graph/graph.ts';
import { hubSettings, parseHubName } from '../hub/hub.ts';
import { type Pushed, pushFiles, withToken } from '../hub/push/push-files.ts';
import type { ModelFile, Notices } from '../model/model-file.ts';
import { writeModel } from '../model/write-model.ts';
import { openModel } from '../predict/open-model.ts';
import { runFactsAt } from '../train/card/read-run-facts.ts';
import { writeCard } from '../train/card/write-card.ts';

const ownForm = 'inception-networks';
/** An ecosystem of the hub: its names and config.json, so that it loads the model. `inception-networks`: this package's own file, with every option. */
export type PushForm = DialectName | typeof ownForm;
export const pushForms: readonly PushForm[] = [...hubDialectNames, ownForm];

/** How a model is uploaded to the hub. */
export interface PushModelOptions extends Notices {
  /** Default: that of an ecosystem which computes the same from it, otherwise this package's; which one is said. */
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
    if (form !== ownForm) {
      const { decisions } = await exportWeights(model, { to: form, output: `${folder}/` });
      for (const decision of decisions) options.onNotice?.(decision);
    } else {
      const { description, graph, read } = model;
      await writeModel(weights, { description, read, parameters: parametersOf(graph) });
      await writeFile(config, ownConfig(description));
    }
    options.signal?.throwIfAborted();
    const run = await runFactsAt(path);
    const { license } = options;
    const library = form === ownForm ? undefined : cardLibrary(form);
    await writeCard(folder, { description: model.description, run, library, repository, license });
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

/** @throws UsageError if an ecosystem's is asked for and cannot be */
function chooseForm(model: ModelFile, { form, onNotice }: PushModelOptions): PushForm {
  if (form === ownForm) return form;
  const reasons: string[] = [];
  for (const dialect of form === undefined ? hubDialectNames : [form]) {
    const other = misfit(model, dialect);
    if (form !== undefined && other !== undefined) throw new UsageError(`form: ${model.source}: ${other}`);
    const differences = other === undefined ? differencesWith(model, dialect) : [other];
    if (form !== undefined || differences.length === 0) {
      for (const difference of differences) onNotice?.(difference);
      return dialect;
    }
    reasons.push(`not ${dialect}'s: ${differences.join('; ')}`);
  }
  onNotice?.(`in this package's own form, ${reasons.join('; ')}`);
  return ownForm;
}
