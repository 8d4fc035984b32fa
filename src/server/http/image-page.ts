/** The page of `GET /`: one drops an image and sees its labels. One file, without a library, in the reader's light or dark. */
import { createHash } from 'node:crypto';

const style = `
:root { color-scheme: light dark; --line: light-dark(#d5d9e0, #3a3f4a); --quiet: light-dark(#5b6472, #a2abb9);
  --card: light-dark(#ffffff, #1d2027); --page: light-dark(#f5f6f8, #14161b); --accent: light-dark(#2457c5, #7ea6ff);
  --bar: light-dark(#dbe5fb, #2b3a5e); --wrong: light-dark(#b3261e, #ff8f86); }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; background: var(--page); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 2.5rem 1.25rem; }
header { display: flex; flex-wrap: wrap; gap: .75rem 1.25rem; align-items: baseline; margin-bottom: 1.25rem; }
h1 { font-size: 1.35rem; margin: 0; flex: 1; }
label { color: var(--quiet); font-size: .9rem; }
select, input[type=password] { font: inherit; font-size: .95rem; padding: .3rem .5rem; margin-left: .4rem; border: 1px solid var(--line);
  border-radius: .4rem; background: var(--card); color: inherit; max-width: 14rem; }
#drop { display: grid; place-items: center; min-height: 15rem; padding: 1.5rem; text-align: center; cursor: pointer; color: var(--quiet);
  background: var(--card); border: 2px dashed var(--line); border-radius: .9rem; transition: border-color .15s; }
#drop.over, #drop:hover, #drop:focus-within { border-color: var(--accent); }
#drop strong { display: block; color: light-dark(#14161b, #f2f4f8); font-size: 1.1rem; font-weight: 600; }
#drop input { position: absolute; opacity: 0; pointer-events: none; }
#drop img { display: block; max-width: 100%; max-height: 22rem; border-radius: .5rem; margin: 0 auto .75rem; }
ol { list-style: none; margin: 1.25rem 0 0; padding: 0; display: grid; gap: .4rem; }
li { position: relative; display: flex; justify-content: space-between; gap: 1rem; padding: .5rem .8rem; border-radius: .5rem;
  background: var(--card); border: 1px solid var(--line); overflow: hidden; }
li i { position: absolute; inset: 0 auto 0 0; background: var(--bar); }
li span { position: relative; overflow-wrap: anywhere; }
li span:last-child { font-variant-numeric: tabular-nums; color: var(--quiet); white-space: nowrap; }
li:first-child span:first-of-type { font-weight: 600; }
#said { min-height: 1.5rem; margin: .9rem 0 0; color: var(--quiet); font-size: .9rem; }
#said.wrong { color: var(--wrong); }
footer { margin-top: 2rem; color: var(--quiet); font-size: .9rem; }
a { color: var(--accent); }
code { font-size: .85rem; overflow-wrap: anywhere; }
`;

const script = `
const find = (id) => document.getElementById(id);
const [drop, file, image, hint, model, labels, said, token] =
  ['drop', 'file', 'image', 'hint', 'model', 'labels', 'said', 'token'].map(find);
let [shown, turn] = [undefined, 0];

const authorization = () => (token && token.value ? { authorization: 'Bearer ' + token.value } : {});
const say = (text, wrong = false) => {
  said.textContent = text;
  said.classList.toggle('wrong', wrong);
};
async function ask(path, init) {
  const response = await fetch(path, { ...init, method: 'POST', headers: { ...init.headers, ...authorization() } });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error);
  return body;
}
const row = ({ label, probability }) => {
  const item = document.createElement('li');
  const [bar, name, share] = ['i', 'span', 'span'].map((tag) => item.appendChild(document.createElement(tag)));
  bar.style.width = probability * 100 + '%';
  name.textContent = label;
  share.textContent = (probability * 100).toFixed(1) + '%';
  return item;
};
async function classify() {
  if (!shown) return;
  const mine = ++turn;
  const begin = performance.now();
  labels.replaceChildren();
  say('Classifying…');
  try {
    const name = model.value ? '&model=' + encodeURIComponent(model.value) : '';
    const headers = { 'content-type': 'application/octet-stream' };
    const { results } = await ask('classify?top=5' + name, { body: shown, headers });
    if (mine !== turn) return;
    labels.replaceChildren(...results[0].labels.map(row));
    say(Math.round(performance.now() - begin) + ' ms, sending and decoding included');
  } catch (error) {
    if (mine === turn) say(error.message, true);
  }
}
function show(blob) {
  if (!blob) return;
  shown = blob;
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(blob);
  image.hidden = false;
  hint.textContent = 'Another one? Drop, paste or choose it.';
  void classify();
}
async function list() {
  const { value } = model;
  const models = await ask('v2/repository/index', {}).catch(() => []);
  model.replaceChildren(...models.map(({ name }) => new Option(name, name, false, name === value)));
  model.parentElement.hidden = models.length < 2;
}
const blobOf = (items) => [...items].find(({ kind }) => kind === 'file')?.getAsFile();
image.addEventListener('error', () => (image.hidden = true));
file.addEventListener('change', () => show(file.files[0]));
model.addEventListener('change', classify);
token?.addEventListener('change', () => list().then(classify));
addEventListener('paste', (event) => show(blobOf(event.clipboardData.items)));
for (const kind of ['dragenter', 'dragover', 'dragleave', 'drop'])
  addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle('over', kind === 'dragenter' || kind === 'dragover');
    if (kind === 'drop') show(blobOf(event.dataTransfer.items));
  });
void list();
`;

const html = (hasToken: boolean) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Classify an image</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>
<header>
<h1>Classify an image</h1>
<label hidden>Model<select id="model"></select></label>
${hasToken ? '<label>Token<input id="token" type="password" autocomplete="off"></label>' : ''}
</header>
<label id="drop">
<span>
<img id="image" alt="The image that is classified" hidden>
<strong id="hint">Drop an image here, paste or choose one</strong>
JPEG, PNG or WebP
</span>
<input id="file" type="file" accept="image/jpeg,image/png,image/webp" aria-label="Choose an image">
</label>
<p id="said" role="status"></p>
<ol id="labels"></ol>
<footer>
<p>For programs: <a href="docs/">the API</a>, or <code>curl --data-binary @cat.jpg -H 'Content-Type: image/jpeg' …/classify</code></p>
</footer>
</main>
<script>${script}</script>
</body>
</html>
`;

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** The page and its headers: nothing but its own script and style runs in it, and it reaches nothing but this server. */
export function imagePage({ hasToken }: { readonly hasToken: boolean }): {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
} {
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(script)}`,
    // The widths of the bars are set by the script.
    `style-src ${hashOf(style)}`,
    'img-src blob: data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    html: html(hasToken),
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy.join('; '),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-cache',
    },
  };
}
