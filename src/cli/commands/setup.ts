/** `inception setup`: builds the addon against libtorch, in an installed package or a checkout. */
import type { Command } from 'commander';
import { InceptionError } from '../../errors.ts';
import { installCommand } from '../../onnx/run/runtime.ts';
import { SetupError } from '../../setup/run-command.mjs';
import { setupAddon } from '../../setup/setup-addon.mjs';

export function addSetup(program: Command): void {
  program
    .command('setup')
    .description('build the native addon against libtorch, needed for training and run folders')
    .option('--yes', 'install missing system packages without asking')
    .option('--force', 'rebuild even if the addon is up to date')
    .addHelpText(
      'after',
      `
libtorch is taken from LIBTORCH (its folder), else from the torch that python3 imports, else from Homebrew or the system's
packages. Missing packages are installed if you agree. .onnx files need only ONNX Runtime:
${installCommand}

Examples:
  inception setup
  LIBTORCH=/opt/libtorch inception setup`,
    )
    .action(async (options: { yes?: boolean; force?: boolean }) => {
      try {
        process.stdout.write(`ready: ${await setupAddon(options)}\n`);
      } catch (error) {
        throw error instanceof SetupError ? new InceptionError(error.message, { cause: error }) : error;
      }
    });
}
