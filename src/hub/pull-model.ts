/** A model of the hub is a repository with a `config.json` and its weights, in one of two files. */
import { type HubFileOptions, hubFile, hubSettings, parseHubName } from './hub.ts';

/**
 * The paths in the cache of a model's two files; what is not there is downloaded.
 * @throws HubError saying what was asked for and what to do.
 */
export async function pullHubModel(
  name: string,
  { onNotice, onProgress }: Pick<HubFileOptions, 'onNotice' | 'onProgress'> = {},
): Promise<{ repository: string; config: string; weights: string }> {
  const { repository, revision } = parseHubName(name);
  const settings = await hubSettings();
  const get = (file: string, optional: boolean) =>
    hubFile({ repository, revision, file, settings, optional, onNotice, onProgress });
  const config = (await get('config.json', false)) as string;
  const weights =
    (await get('model.safetensors', true)) ?? ((await get('pytorch_model.bin', false)) as string);
  return { repository, config, weights };
}
