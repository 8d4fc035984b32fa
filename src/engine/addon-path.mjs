/**
 * Where the native addon lies once `setup` has built it. Plain JavaScript, because `npm run setup` reads it before there is a
 * compiler for TypeScript.
 */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The package's own folder: a checkout, or node_modules/inception-networks. From src/engine and from dist/engine alike. */
export const packageRoot = fileURLToPath(new URL('../../', import.meta.url));

/** A packed package has no tests. */
export const isCheckout = existsSync(join(packageRoot, 'test'));

/** What builds the addon here. */
export const setupCommand = isCheckout ? 'npm run setup' : 'npx inception setup';

export const addonName = 'inception_native.node';

/** In the package: every user of the machine and every copy of the folder has it, until npm writes the folder anew. */
export const addonInPackage = join(packageRoot, 'build', addonName);

/**
 * In the user's cache: survives `npm ci`, and works where the package's folder belongs to another user.
 * @param {{ env?: NodeJS.ProcessEnv, platform?: string, arch?: string }} [options]
 */
export function addonInCache({ env = process.env, platform = process.platform, arch = process.arch } = {}) {
  const home = env.HOME || homedir();
  const caches =
    env.XDG_CACHE_HOME || (platform === 'darwin' ? join(home, 'Library/Caches') : join(home, '.cache'));
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  return join(caches, 'inception-networks', `${version}-${platform}-${arch}`, addonName);
}

/** Every place for it, the first one that has it counts. A checkout's addon changes with its sources and is nobody else's. */
export const addonPaths = () => (isCheckout ? [addonInPackage] : [addonInPackage, addonInCache()]);

/** The addon that is there, or where it would be. */
export const addonPath = () => addonPaths().find((path) => existsSync(path)) ?? addonInPackage;
