/**
 * The paths of the native addons that `setup` builds: one for the engine, one for images. Plain JavaScript, because `npm run setup` reads it before TypeScript is
 * installed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The package's root: a checkout, or node_modules/inception-networks. The same from src/engine and dist/engine. */
export const packageRoot = fileURLToPath(new URL('../../', import.meta.url));

/** The published package contains no tests. */
export const isCheckout = existsSync(join(packageRoot, 'test'));

/** The command that builds the addon here. */
export const setupCommand = isCheckout ? 'npm run setup' : 'npx inception setup';

export const addonName = 'inception_native.node';

/** It lies beside the engine's, where libjpeg-turbo was found when that was built. */
export const imageAddonName = 'inception_images.node';

/** In the package: shared by all users and copied with the folder, but lost when npm reinstalls the package. */
export const addonInPackage = join(packageRoot, 'build', addonName);

/**
 * In the user's cache: survives `npm ci`, and works where the package's folder is not writable.
 * @param {{ env?: NodeJS.ProcessEnv, platform?: string, arch?: string }} [options]
 */
export function addonInCache({ env = process.env, platform = process.platform, arch = process.arch } = {}) {
  const home = env.HOME || homedir();
  const caches =
    env.XDG_CACHE_HOME || (platform === 'darwin' ? join(home, 'Library/Caches') : join(home, '.cache'));
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  return join(caches, 'inception-networks', `${version}-${platform}-${arch}`, addonName);
}

/** All candidate paths, best first. A checkout's addon changes with its sources, so the cache is not used there. */
export const addonPaths = () => (isCheckout ? [addonInPackage] : [addonInPackage, addonInCache()]);

/** The first existing addon, or the default path. */
export const addonPath = () => addonPaths().find((path) => existsSync(path)) ?? addonInPackage;

/** The first existing addon for images, or undefined. */
export const imageAddonPath = () =>
  addonPaths()
    .map((path) => join(dirname(path), imageAddonName))
    .find((path) => existsSync(path));
