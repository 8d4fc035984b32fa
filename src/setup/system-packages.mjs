/** What the addon's build needs of the system, under the names of Debian, Fedora and Homebrew, and its installation. */
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { outputOf, run, SetupError, say } from './run-command.mjs';

/**
 * @typedef {object} PackageManager
 * @property {string} command
 * @property {readonly string[]} before arguments of a command to run first
 * @property {readonly string[]} install
 * @property {boolean} needsRoot
 * @property {Readonly<Record<string, string>>} tools a package for each command that a build needs
 * @property {readonly string[]} libtorch
 * @property {boolean} isTried whether the project has been set up with it
 */

/** The commands of a build. c++ is the compiler. */
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
    isTried: true,
  },
  fedora: {
    command: 'dnf',
    before: [],
    install: ['install', '-y'],
    needsRoot: true,
    tools: { cmake: 'cmake', make: 'make', 'c++': 'gcc-c++' },
    libtorch: ['python3-torch-devel'],
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
    isTried: false,
  },
};

/**
 * The package manager of this system, or undefined where it is none of those known.
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

export const missingTools = () => tools.filter((tool) => outputOf(tool, ['--version']) === undefined);

/**
 * Installs packages, if the person agrees.
 * @param {readonly string[]} packages
 * @param {{ manager: PackageManager, yes: boolean, terminal?: boolean, isRoot?: boolean }} options `yes` asks nothing
 * @throws {SetupError} with the command to type, if it is not allowed or fails
 */
export async function installPackages(
  packages,
  { manager, yes, terminal = process.stdin.isTTY && process.stderr.isTTY, isRoot = process.getuid?.() === 0 },
) {
  const prefix = manager.needsRoot && !isRoot ? ['sudo'] : [];
  /** @param {readonly string[]} args */
  const full = (args) => [...prefix, manager.command, ...args];
  const commands = [manager.before, [...manager.install, ...packages]]
    .filter((args) => args.length > 0)
    .map(full);
  const typed = commands.map((words) => words.join(' ')).join(' && ');
  const byHand = `Type\n  ${typed}\nand run the set-up again.`;
  say(`Needed and missing: ${packages.join(', ')}.`);
  if (!yes && !terminal)
    throw new SetupError(`the system packages above are not installed without --yes. ${byHand}`);
  if (!yes && !(await agrees(`Install with '${typed}'?`)))
    throw new SetupError(`nothing was installed. ${byHand}`);
  say(`Installing: ${typed}`);
  for (const words of commands) {
    const [command = '', ...args] =
      words[0] === 'sudo' && !terminal ? ['sudo', '-n', ...words.slice(1)] : words;
    run(command, args, { advice: byHand, visible: terminal });
  }
}

/** @param {string} question */
async function agrees(question) {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}
