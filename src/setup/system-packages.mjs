/** The system packages needed to build the addon, by their names in Debian, Fedora and Homebrew, and their installation. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { outputOf, run, SetupError, say } from './run-command.mjs';

/**
 * @typedef {object} PackageManager
 * @property {string} command
 * @property {readonly string[]} before arguments of a command to run first
 * @property {readonly string[]} install
 * @property {boolean} needsRoot
 * @property {Readonly<Record<string, string>>} tools the package of each command needed for the build
 * @property {readonly string[]} libtorch
 * @property {readonly string[]} jpeg the headers of libjpeg-turbo
 * @property {readonly string[]} gloo the headers of Gloo, for training on several processes
 * @property {boolean} isTried whether the set-up has been tested with it
 */

/** The commands needed for the build. */
export const tools = ['cmake', 'make', 'c++'];

/** @type {Readonly<Record<'debian' | 'fedora' | 'homebrew', PackageManager>>} */
export const packageManagers = {
  debian: {
    command: 'apt-get',
    before: ['update', '-qq'],
    install: ['install', '-y', '--no-install-recommends'],
    needsRoot: true,
    tools: { cmake: 'cmake', make: 'make', 'c++': 'g++' },
    libtorch: ['libtorch-dev', 'libdnnl-dev', 'libopenblas0-pthread'],
    // Of Debian and Ubuntu alike: it depends on libjpeg-turbo's, whose name differs.
    jpeg: ['libjpeg-dev'],
    gloo: ['libgloo-dev'],
    isTried: true,
  },
  fedora: {
    command: 'dnf',
    before: [],
    install: ['install', '-y'],
    needsRoot: true,
    tools: { cmake: 'cmake', make: 'make', 'c++': 'gcc-c++' },
    libtorch: ['python3-torch-devel'],
    jpeg: ['libjpeg-turbo-devel'],
    gloo: ['gloo-devel'],
    isTried: false,
  },
  homebrew: {
    command: 'brew',
    before: [],
    install: ['install'],
    needsRoot: false,
    // The compiler is Apple's: xcode-select --install.
    tools: { cmake: 'cmake', make: 'make' },
    libtorch: ['pytorch', 'libomp'],
    jpeg: ['jpeg-turbo'],
    gloo: [],
    isTried: false,
  },
};

/**
 * The package manager of this system, or undefined if it is not a known one.
 * @param {{ platform?: string, osRelease?: string }} [system]
 */
export function findPackageManager({ platform = process.platform, osRelease = readOsRelease() } = {}) {
  if (platform === 'darwin') return packageManagers.homebrew;
  const names = [...osRelease.matchAll(/^(?:ID|ID_LIKE)="?([^"\n]*)"?$/gm)].flatMap(([, value]) =>
    (value ?? '').split(' '),
  );
  if (names.includes('debian') || names.includes('ubuntu')) return packageManagers.debian;
  if (names.includes('fedora')) return packageManagers.fedora;
  return undefined;
}

const readOsRelease = () => (existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '');

/** @param {string} header */
const hasHeader = (header) =>
  ['/usr/include', '/usr/local/include', '/opt/homebrew/include'].some((folder) =>
    existsSync(join(folder, header)),
  );

/** Whether the headers of a libjpeg are where the build looks for them; it tries whether that is libjpeg-turbo's. */
export const hasJpegHeaders = () => hasHeader('jpeglib.h');

/** Whether Gloo's headers are there; the build tries whether they fit libtorch's. */
export const hasGlooHeaders = () => hasHeader('gloo/transport/device.h');

export const missingTools = () => tools.filter((tool) => outputOf(tool, ['--version']) === undefined);

/**
 * Installs packages, after asking for confirmation.
 * @param {readonly string[]} packages
 * @param {{ manager: PackageManager, yes: boolean, terminal?: boolean, isRoot?: boolean }} options `yes` skips the question
 * @throws {SetupError} with the command to run by hand, if declined or failed
 */
export async function installPackages(
  packages,
  { manager, yes, terminal = process.stdin.isTTY && process.stderr.isTTY, isRoot = process.getuid?.() === 0 },
) {
  const prefix = manager.needsRoot && !isRoot ? ['sudo'] : [];
  /** @param {readonly string[]} args */
  const fullCommand = (args) => [...prefix, manager.command, ...args];
  const commands = [manager.before, [...manager.install, ...packages]]
    .filter((args) => args.length > 0)
    .map(fullCommand);
  const commandLine = commands.map((words) => words.join(' ')).join(' && ');
  const advice = `Run\n  ${commandLine}\nthen run the set-up again.`;
  say(`Missing system packages: ${packages.join(', ')}.`);
  if (!yes && !terminal)
    throw new SetupError(`the system packages above are installed only with --yes. ${advice}`);
  if (!yes && !(await confirm(`Install with '${commandLine}'?`)))
    throw new SetupError(`nothing was installed. ${advice}`);
  say(`Installing: ${commandLine}`);
  for (const words of commands) {
    const [command = '', ...args] =
      words[0] === 'sudo' && !terminal ? ['sudo', '-n', ...words.slice(1)] : words;
    run(command, args, { advice, visible: terminal });
  }
}

/** @param {string} question */
async function confirm(question) {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}
