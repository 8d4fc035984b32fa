/** What `inception setup` and a checkout's `npm run setup` do alike: find libtorch, install what is missing, build the addon. */
import { buildAddon } from './build-addon.mjs';
import { findLibtorch } from './find-libtorch.mjs';
import { outputOf, SetupError, say } from './run-command.mjs';
import { findPackageManager, installPackages, missingTools } from './system-packages.mjs';

const anyLibtorch =
  'pip install torch, or set LIBTORCH to the folder of a libtorch unpacked from https://pytorch.org';

/**
 * @param {{ yes?: boolean, force?: boolean, also?: readonly string[] }} [options] `yes`: installs system packages without
 * asking; `force`: builds again; `also`: more of Debian's packages, which only a checkout needs
 * @returns {Promise<string>} the addon's path
 * @throws {SetupError} if something is missing that cannot be installed, or the build fails; the message says what to do
 */
export async function setupAddon({ yes = false, force = false, also = [] } = {}) {
  if (process.platform === 'win32') {
    throw new SetupError(
      'the addon is built on Linux and macOS; on Windows use WSL for it. What ONNX Runtime does needs no set-up',
    );
  }
  const manager = findPackageManager();
  const missing = missingPackages({ manager, also });
  if (missing.length > 0 && manager) {
    if (!manager.isTried) say(`Setting up with ${manager.command} has not been tried by the project.`);
    await installPackages(missing, { manager, yes });
  }
  const libtorch = findLibtorch();
  if (!libtorch) throw new SetupError(`no libtorch was found: ${anyLibtorch}, and run the set-up again`);
  say(`libtorch ${libtorch.version}: ${libtorch.origin}`);
  if (libtorch.isSystem && manager?.command === 'apt-get' && !isInstalled('libdnnl-dev')) {
    say("libdnnl-dev is not installed: convolutions will be libtorch's own, which are slower");
  }
  return buildAddon(libtorch, { force });
}

/**
 * Packages that are missing. @param {{ manager: import('./system-packages.mjs').PackageManager | undefined, also: readonly string[] }} options
 * @throws {SetupError} where something is missing and no package manager is known
 */
function missingPackages({ manager, also }) {
  const commands = missingTools();
  if (!manager) {
    if (commands.length > 0)
      throw new SetupError(
        `needed and not found: ${commands.join(', ')}; install them with your system's packages and run the set-up again`,
      );
    return [];
  }
  const withoutPackage = commands.filter((command) => manager.tools[command] === undefined);
  if (withoutPackage.length > 0) {
    throw new SetupError(`the compiler is missing; type xcode-select --install and run the set-up again`);
  }
  return [
    ...commands.map((command) => /** @type {string} */ (manager.tools[command])),
    ...(findLibtorch() ? [] : manager.libtorch),
    ...(manager.command === 'apt-get' ? also.filter((name) => !isInstalled(name)) : []),
  ];
}

/** Whether Debian has a package. @param {string} name */
const isInstalled = (name) =>
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholder
  outputOf('dpkg-query', ['-W', '-f', '${db:Status-Status}', name]) === 'installed';
