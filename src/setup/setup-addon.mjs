/** Shared by `inception setup` and a checkout's `npm run setup`: finds libtorch, installs what is missing, builds the addon. */
import { buildAddon } from './build-addon.mjs';
import { findLibtorch } from './find-libtorch.mjs';
import { outputOf, SetupError, say } from './run-command.mjs';
import {
  findPackageManager,
  hasGlooHeaders,
  hasJpegHeaders,
  installPackages,
  missingTools,
} from './system-packages.mjs';

const anyLibtorch =
  'pip install torch, or set LIBTORCH to the folder of a libtorch unpacked from https://pytorch.org';

/**
 * @param {{ yes?: boolean, force?: boolean, also?: readonly string[] }} [options] `yes`: install system packages without
 * asking; `force`: rebuild; `also`: additional Debian packages, for a checkout
 * @returns {Promise<string>} the addon's path
 * @throws {SetupError} if something is missing that cannot be installed, or the build fails; the message says what to do
 */
export async function setupAddon({ yes = false, force = false, also = [] } = {}) {
  if (process.platform === 'win32') {
    throw new SetupError(
      'the addon is built on Linux and macOS; on Windows use WSL. ONNX Runtime needs no set-up',
    );
  }
  const manager = findPackageManager();
  const missing = missingPackages({ manager, also });
  if (missing.length > 0 && manager) {
    if (!manager.isTried) say(`Set-up with ${manager.command} is untested.`);
    await installPackages(missing, { manager, yes });
  }
  const libtorch = findLibtorch();
  if (!libtorch) throw new SetupError(`libtorch not found: ${anyLibtorch}, then run the set-up again`);
  say(`libtorch ${libtorch.version}: ${libtorch.origin}`);
  if (libtorch.isSystem && manager?.command === 'apt-get' && !isInstalled('libdnnl-dev')) {
    say("libdnnl-dev is not installed: convolutions will use libtorch's slower operators");
  }
  const { path, hasImages } = buildAddon(libtorch, { force });
  if (!hasImages)
    say(
      `libjpeg-turbo's headers were not found${manager ? ` (${manager.jpeg.join(', ')})` : ''}: images are decoded by sharp and prepared in TypeScript, which is slower`,
    );
  return path;
}

/**
 * The missing packages. @param {{ manager: import('./system-packages.mjs').PackageManager | undefined, also: readonly string[] }} options
 * @throws {SetupError} if tools are missing and there is no known package manager to install them
 */
function missingPackages({ manager, also }) {
  const commands = missingTools();
  if (!manager) {
    if (commands.length > 0)
      throw new SetupError(
        `required commands not found: ${commands.join(', ')}; install them with your package manager, then run the set-up again`,
      );
    return [];
  }
  const withoutPackage = commands.filter((command) => manager.tools[command] === undefined);
  if (withoutPackage.length > 0) {
    throw new SetupError(`the compiler is missing; run xcode-select --install, then run the set-up again`);
  }
  return [
    ...commands.map((command) => /** @type {string} */ (manager.tools[command])),
    ...(findLibtorch() ? [] : manager.libtorch),
    ...(hasJpegHeaders() ? [] : manager.jpeg),
    ...(hasGlooHeaders() ? [] : manager.gloo),
    ...(manager.command === 'apt-get' ? also.filter((name) => !isInstalled(name)) : []),
  ];
}

/** Whether a Debian package is installed. @param {string} name */
const isInstalled = (name) =>
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholder
  outputOf('dpkg-query', ['-W', '-f', '${db:Status-Status}', name]) === 'installed';
