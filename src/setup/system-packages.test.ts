import { describe, expect, it } from 'vitest';
import { findPackageManager, installPackages, packageManagers } from './system-packages.mjs';

describe('the package manager', () => {
  it.each([
    ['Debian 12', 'ID=debian\nVERSION_ID="12"\n', 'apt-get'],
    ['Ubuntu 24.04', 'ID=ubuntu\nID_LIKE=debian\n', 'apt-get'],
    ['Linux Mint', 'ID=linuxmint\nID_LIKE="ubuntu debian"\n', 'apt-get'],
    ['Fedora 42', 'ID=fedora\n', 'dnf'],
    ['Arch', 'ID=arch\n', undefined],
  ])('of %s is known from /etc/os-release', (_, osRelease, command) => {
    expect(findPackageManager({ platform: 'linux', osRelease })?.command).toBe(command);
  });

  it('of macOS is Homebrew', () => {
    expect(findPackageManager({ platform: 'darwin' })?.command).toBe('brew');
  });
});

describe('an installation of system packages', () => {
  const { debian, homebrew } = packageManagers;

  it('requires --yes without a terminal, and prints the exact command', async () => {
    const options = { manager: debian, yes: false, terminal: false };
    await expect(installPackages(['cmake', 'g++'], { ...options, isRoot: false })).rejects.toThrow(
      `the system packages above are installed only with --yes. Run
  sudo apt-get update -qq && sudo apt-get install -y --no-install-recommends cmake g++
then run the set-up again.`,
    );
    await expect(installPackages(['cmake'], { ...options, isRoot: true })).rejects.toThrow(
      'Run\n  apt-get update -qq && apt-get install -y --no-install-recommends cmake\n',
    );
    await expect(
      installPackages(['pytorch'], { ...options, manager: homebrew, isRoot: false }),
    ).rejects.toThrow('Run\n  brew install pytorch\n');
  });

  it('prints the command if it fails', async () => {
    const manager = { ...debian, command: 'false', before: [] };
    await expect(
      installPackages(['cmake'], { manager, yes: true, terminal: false, isRoot: true }),
    ).rejects.toThrow(
      /^'false install -y --no-install-recommends cmake' failed:\n\nRun\n {2}false install .* cmake\nthen run/,
    );
  });
});
