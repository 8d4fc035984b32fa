// Writes docs/api.md: every exported name of every subpath, with the first sentence of its docstring.
// Reads the sources as text: the names of the public API are re-exported one by one, each with a docstring above it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Each subpath with the file that is its list of names. */
export const subpaths = [
  { name: 'inception-networks', file: 'src/index.ts', leaves: 'src/api/networks.ts' },
  { name: 'inception-networks/networks', file: 'src/api/networks.ts' },
  { name: 'inception-networks/web', file: 'src/api/web.ts', leaves: 'src/api/networks.ts' },
  { name: 'inception-networks/onnx', file: 'src/api/onnx.ts' },
  { name: 'inception-networks/server', file: 'src/api/server.ts' },
  { name: 'inception-networks/compiler', file: 'src/api/compiler.ts' },
];

/** @param {string} file */
const read = (file) => readFileSync(join(root, file), 'utf8');

/**
 * The names that a file passes on, each with the file that it comes from.
 * @param {string} file
 */
export function namesOf(file) {
  const text = read(file);
  const names = [];
  for (const [, type, list = '', path = ''] of text.matchAll(
    /^export (type )?\{([^}]*)\} from '([^']+)';/gms,
  ))
    for (const part of list.split(',').map((each) => each.trim()))
      if (part !== '')
        names.push({
          name: part.replace(/^type /, ''),
          isType: type !== undefined || part.startsWith('type '),
          from: normalize(join(dirname(file), path)),
        });
  return names;
}

/**
 * What declares a name: its kind and its docstring, without stars; undefined if there is none.
 * @param {string} name
 * @param {string} file
 * @returns {{ kind: string, docstring: string | undefined }}
 */
export function declarationOf(name, file) {
  const text = read(file);
  const passedOn = namesOf(file).find((each) => each.name === name);
  if (passedOn) return declarationOf(name, passedOn.from);
  const pattern = new RegExp(
    `(/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/\\n)?(?:export )(?:declare )?(?:async )?(function\\*?|const|class|interface|type) ${name}\\b`,
  );
  const [, comment, kind] = pattern.exec(text) ?? [];
  if (kind === undefined) throw new Error(`${file}: nothing is called ${name}`);
  const docstring = comment
    ?.replace(/^\/\*\*\s?|\s*\*\/\n$/g, '')
    .replace(/^ *\* ?/gm, '')
    .trim();
  return { kind: kind.replace('*', ''), docstring };
}

/**
 * Up to the first full stop or tag, on one line.
 * @param {string} docstring
 */
const firstSentence = (docstring) =>
  docstring
    .replace(/(\n\s*\n|\s@throws|```)[\s\S]*/, '')
    .replace(/\s+/g, ' ')
    .replace(/\{@link ([^}]*)\}/g, '`$1`')
    .replace(/^((?:`[^`]*`|[^`])*?[.:])(?: .*)?$/, '$1')
    .replace(/:$/, '.')
    .replace(/\|/g, '\\|')
    .trim();

/**
 * What a list of names says of itself at its top, behind the subpath's name.
 * @param {string} file
 */
function aboutOf(file) {
  const [, comment] = /^\/\*\*\s+(?:\* )?`[^`]*`: ([\s\S]*?)\s*\*\/$/m.exec(read(file)) ?? [];
  if (comment === undefined)
    throw new Error(`${file}: expected a comment that begins with the subpath's name`);
  return comment.replace(/\n \* /g, ' ');
}

export function apiPage() {
  const sections = subpaths.map(({ name, file, leaves }) => {
    const rows = namesOf(file)
      .map((each) => ({ ...each, ...declarationOf(each.name, each.from) }))
      .sort((a, b) => a.name.localeCompare(b.name, 'en'))
      .map(
        ({ name: exported, kind, docstring = '', from }) =>
          `| [\`${exported}\`](../${from}) | ${kind} | ${firstSentence(docstring)} |`,
      );
    const about = aboutOf(file);
    const also = leaves ? `\n\nAll names of \`inception-networks/networks\` as well.` : '';
    return `## \`${name}\`\n\n${about[0]?.toUpperCase()}${about.slice(1)}${also}\n\n| name | is a | |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
  });
  return `# The names of the library\n\nWritten by \`npm run docs\` from the docstrings, which say more; \`npm run docs:site\` writes the whole as HTML into \`docs/api/\`.\n\n${sections.join('\n')}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = join(root, 'docs/api.md');
  const before = existsSync(page) ? readFileSync(page, 'utf8') : '';
  const now = apiPage();
  if (now !== before && process.argv.includes('--check')) {
    process.stderr.write("docs/api.md: the docstrings say otherwise; 'npm run docs' writes it\n");
    process.exitCode = 1;
  } else if (now !== before) writeFileSync(page, now);
}
