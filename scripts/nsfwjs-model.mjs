/**
 * Writes the Inception-v3 that npm's `nsfwjs` ships (MIT) as TensorFlow.js's layers model, a folder that every command takes as MODEL:
 *
 *   npm install nsfwjs@4 --ignore-scripts --prefix /tmp/nsfwjs
 *   node scripts/nsfwjs-model.mjs /tmp/nsfwjs nsfwjs
 *   inception import nsfwjs --mean 0,0,0 --std 1,1,1 --model-labels nsfwjs/labels.txt -o nsfwjs.safetensors
 *
 * The package has `model.json` and its shards as JavaScript, the shards in base64; they are the same bytes afterwards. Its network was
 * trained on pixels in [0, 1], which a layers model does not say: hence --mean and --std.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';

const [installed, output] = process.argv.slice(2);
if (installed === undefined || output === undefined) {
  console.error(
    'usage: node scripts/nsfwjs-model.mjs FOLDER OUTPUT   (FOLDER: where nsfwjs is installed, or the package itself)',
  );
  process.exit(2);
}

const folder = ['node_modules/nsfwjs', 'package', '.']
  .map((name) => resolve(installed, name, 'dist/models/inception_v3'))
  .find((path) => existsSync(path));
if (folder === undefined) {
  console.error(
    `${installed}: no nsfwjs with dist/models/inception_v3 in it; expected 'npm install nsfwjs@4 --prefix ${installed}'`,
  );
  process.exit(2);
}

const require = createRequire(join(folder, 'package.json'));
const load = (name) => {
  const loaded = require(join(folder, `${name}.min.js`));
  return loaded.default ?? loaded;
};

const model = load('model');
mkdirSync(output, { recursive: true });
let bytes = 0;
for (const { paths } of model.weightsManifest) {
  for (const path of paths) {
    const shard = Buffer.from(load(basename(path)), 'base64');
    writeFileSync(join(output, basename(path)), shard);
    bytes += shard.length;
  }
}
writeFileSync(join(output, 'model.json'), JSON.stringify({ format: 'layers-model', ...model }));
// The order of nsfwjs's own list, dist/esm/nsfw_classes.js.
writeFileSync(join(output, 'labels.txt'), ['Drawing', 'Hentai', 'Neutral', 'Porn', 'Sexy', ''].join('\n'));
console.log(`wrote ${output}: model.json, labels.txt and ${(bytes / 1e6).toFixed(1)} MB of weights`);
