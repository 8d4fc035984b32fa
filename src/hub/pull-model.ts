/** A model of the hub is a repository with a `config.json` and its weights, in one of two files. */
import { type HubFileOptions, hubFile, hubSettings, NotCachedError, parseHubName } from './hub.ts';

/** Names of the weights in a repository or folder, in the order in which they are looked for. */
export const weightsNames = ['model.safetensors', 'pytorch_model.bin'] as const;

/** Limit of a config.json. With the labels of 21,841 classes and their descriptions it has 2 MB. */
export const maxConfigBytes = 16 * 2 ** 20;

export interface PullOptions extends Pick<HubFileOptions, 'onNotice' | 'onProgress'> {
  /** Called with the path of config.json before the weights are downloaded: what it throws ends the pull. */
  readonly onConfig?: (path: string) => Promise<void> | void;
}

/**
 * The paths in the cache of a model's two files; what is not there is downloaded.
 * @throws HubError saying what was asked for and what to do.
 */
export async function pullHubModel(
  name: string,
  { onNotice, onProgress, onConfig }: PullOptions = {},
): Promise<{ repository: string; config: string; weights: string }> {
  const { repository, revision } = parseHubName(name);
  const settings = await hubSettings();
  const get = (file: string, options: Pick<HubFileOptions, 'optional' | 'maxBytes'> = {}) =>
    hubFile({ repository, revision, file, settings, onNotice, onProgress, ...options });
  const config = (await get('config.json', { maxBytes: maxConfigBytes })) as string;
  await onConfig?.(config);
  return { repository, config, weights: await weightsOf(get) };
}

async function weightsOf(
  get: (file: string, options?: { optional: boolean }) => Promise<string | undefined>,
): Promise<string> {
  const [first, second] = weightsNames;
  try {
    const path = await get(first, { optional: true });
    if (path !== undefined) return path;
  } catch (error) {
    if (!(error instanceof NotCachedError)) throw error;
    // Offline, nobody knows whether the repository has the newer file: the older one is as good.
    const older = await get(second).catch((problem: unknown) => {
      throw problem instanceof NotCachedError ? error : problem;
    });
    return older as string;
  }
  return (await get(second)) as string;
}
