/** `inception pull`: downloads a model into the cache shared by all tools of the hub. */
import type { Command } from 'commander';
import { isOwnConfig, readConfigFile } from '../../ecosystems/import/hub-folder.ts';
import { UsageError } from '../../errors.ts';
import { pullHubModel } from '../../hub/pull-model.ts';
import { modelKind } from '../../model/model-kind.ts';
import { noticesTo } from '../options/model-options.ts';

export function addPull(program: Command): void {
  program
    .command('pull')
    .description('download a model from the hub; a partial download is resumed')
    .argument('<model>', 'hub:owner/name, or hub:owner/name@revision')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
The cache is the one that huggingface_hub and timm use. HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_TOKEN_PATH and
HF_HUB_OFFLINE are honoured.

Example:
  inception pull hub:timm/inception_v4.tf_in1k`,
    )
    .action(async (name: string, { json }: { json?: boolean }) => {
      if (modelKind(name) !== 'hub')
        throw new UsageError(`pull: expected hub:owner/name, received '${name}'`);
      const notices = noticesTo(process.stderr);
      try {
        const files = await pullHubModel(name, {
          ...notices,
          onConfig: async (path) => {
            if (!(await isOwnConfig(path))) await readConfigFile(path);
          },
        });
        process.stdout.write(
          json ? `${JSON.stringify(files, null, 2)}\n` : `${files.config}\n${files.weights}\n`,
        );
      } finally {
        notices.end();
      }
    });
}
