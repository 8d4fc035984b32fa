/** `inception push`: uploads a model to the hub. */
import type { Command } from 'commander';
import { UsageError } from '../../errors.ts';
import { modelKind } from '../../model/model-kind.ts';
import { type PushForm, pushForms, pushModel } from '../../publish/push-model.ts';
import { modelArgument, noticesTo } from '../options/model-options.ts';
import { onInterruption } from '../signals.ts';
import { oneOf } from '../usage.ts';

interface Values {
  private?: boolean;
  license?: string;
  form?: PushForm;
  message?: string;
  json?: boolean;
}

export function addPush(program: Command): void {
  program
    .command('push')
    .description('upload a model to the hub: weights, config.json and a model card')
    .argument('<model>', modelArgument)
    .argument('<repository>', 'hub:owner/name, or hub:owner/name@branch; it is created if it is not there')
    .option('--private', 'create a private repository')
    .option(
      '--license <name>',
      "license of the hub's list, for the card: mit, apache-2.0, … (default: unknown)",
    )
    .option(
      '--form <form>',
      `form of the files: ${pushForms.join(', ')} (default: the first that computes the same)`,
      oneOf('--form', pushForms),
    )
    .option('--message <text>', "the commit's message")
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
HF_TOKEN (or the file of HF_TOKEN_PATH) needs write access; HF_ENDPOINT is honoured. All files become one commit, or none does.

Examples:
  inception push runs/photos hub:me/photos --private
  inception push runs/photos hub:me/photos --license mit`,
    )
    .action(async (model: string, repository: string, values: Values) => {
      if (modelKind(repository) !== 'hub')
        throw new UsageError(`push: expected hub:owner/name to push to, received '${repository}'`);
      if (modelKind(model) === 'onnx')
        throw new UsageError(
          `${model}: an ONNX file has no weights to push; expected a run folder, a .safetensors file, or hub:owner/name`,
        );
      const notices = noticesTo(process.stderr);
      const interruption = onInterruption();
      try {
        const { form, license, message: summary, json } = values;
        const pushed = await pushModel(model, repository, {
          ...notices,
          ...(form && { form }),
          ...(license !== undefined && { license }),
          ...(summary !== undefined && { summary }),
          private: values.private ?? false,
          signal: interruption.signal,
        });
        if (pushed.replaced.length > 0)
          notices.onNotice?.(`replaced, its history keeps them: ${pushed.replaced.join(', ')}`);
        const { files, commit = 'unknown', url } = pushed;
        process.stdout.write(
          json
            ? `${JSON.stringify(pushed, null, 2)}\n`
            : `${model}: ${files.join(', ')} in ${pushed.form}'s form at ${url}, commit ${commit}\n`,
        );
      } catch (error) {
        interruption.throwIfInterrupted('interrupted; nothing was committed');
        throw error;
      } finally {
        interruption.end();
        notices.end();
      }
    });
}
