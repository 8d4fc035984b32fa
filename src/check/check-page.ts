/** The check of a data set as one page with thumbnails, which needs nothing else. */
import { basename } from 'node:path';
import { thumbnail } from '../data/thumbnail.ts';
import type { Checked } from './check-data.ts';
import type { CheckedImage, DuplicateGroup } from './data-check.ts';
import { counted, describeLabels, grouped, nameIn } from './words.ts';

/** Groups of each kind, images of a group, other images, and undecodable files that are shown. */
const limits = { groups: 40, images: 8, others: 24, files: 200 } as const;

const html = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

/** The whole page, light or dark like the reader's system. */
export async function drawCheckPage(checked: Checked): Promise<string> {
  const { check } = checked;
  const { identical, near, smaller, undecodable } = check;
  const figure = figures(checked);
  const sections = [
    section('Classes', undefined, classBars(checked)),
    section(
      'Labels that are probably wrong',
      check.labels && `${describeLabels(check.labels)}${shownOf(check.labels.images.length, limits.others)}.`,
      await strip(check.labels?.images ?? [], (image) =>
        figure(
          image,
          `${image.class}; judged ${image.predicted} ${(image.probability * 100).toFixed(0)}%${image.trainedOn && !check.labels?.crossValidated ? ', trained on' : ''}`,
        ),
      ),
    ),
    section('Identical files', note(identical, 'the same bytes'), await groupCards(identical, figure)),
    section(
      'Nearly identical images',
      note(
        near,
        `at most ${check.nearThresholds.bits} of 64 bits of the perceptual hash apart, and ${check.nearThresholds.colour} of 255 levels in colour`,
      ),
      await groupCards(near, figure),
    ),
    section(
      `Smaller than ${smaller.than.join('×')}`,
      smaller.images.length === 0
        ? undefined
        : `${counted(smaller.images.length, 'image')} to be enlarged${shownOf(smaller.images.length, limits.others)}`,
      await strip(smaller.images, (image) => figure(image, `${image.width}×${image.height}`)),
    ),
    section(
      'Undecodable files',
      undecodable.length === 0
        ? undefined
        : `${counted(undecodable.length, 'file')}${shownOf(undecodable.length, limits.files)}`,
      undecodable.length === 0
        ? ''
        : `<ul class="plain">${undecodable
            .slice(0, limits.files)
            .map(
              ({ file, reason }) =>
                `<li><b>${html(nameIn(check.source, file))}</b> ${html(reason.replace(`${file}: `, ''))}</li>`,
            )
            .join('')}</ul>`,
    ),
  ];
  const perSplit =
    check.splits.length === 1
      ? ''
      : `; ${check.splits.map(({ name, images }) => `${name} ${grouped(images)}`).join(', ')}`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${html(check.source)}: data check</title>
<style>${style}</style>
<h1>${html(check.source)}</h1>
<p class="quiet">${counted(check.images, 'image')}, ${grouped(check.classes.length)} classes${perSplit}. ${check.width.min} to ${check.width.max} pixels wide (median ${check.width.median}), ${check.height.min} to ${check.height.max} high (median ${check.height.median}).</p>
${tiles(checked)}
${sections.join('\n')}
</html>
`;
}

const shownOf = (count: number, most: number): string => (count > most ? `; the first ${most}` : '');

const note = (groups: readonly DuplicateGroup[], what: string): string | undefined =>
  groups.length === 0
    ? undefined
    : `${counted(groups.length, 'group')}, ${what}${shownOf(groups.length, limits.groups)}.`;

function section(title: string, text: string | undefined, body: string): string {
  if (body === '') return '';
  return `<section><h2>${html(title)}</h2>${text === undefined ? '' : `<p class="quiet">${html(text)}</p>`}${body}</section>`;
}

/** The findings as numbers; those that may spoil a result are marked. */
function tiles({ check }: Checked): string {
  const images = (groups: readonly DuplicateGroup[]) =>
    groups.reduce((sum, group) => sum + group.images.length, 0);
  const across = [...check.identical, ...check.near].filter(({ acrossSplits }) => acrossSplits).length;
  const contradicting = [...check.identical, ...check.near].filter(
    ({ acrossClasses }) => acrossClasses,
  ).length;
  const groups = (count: number, what: string) => `${count === 1 ? 'group' : 'groups'} ${what}`;
  const all: readonly (readonly [value: string, what: string, bad: boolean])[] = [
    [grouped(check.undecodable.length), 'undecodable', check.undecodable.length > 0],
    [grouped(images(check.identical)), 'identical', false],
    [grouped(images(check.near)), 'nearly identical', false],
    [grouped(across), groups(across, 'across splits'), across > 0],
    [grouped(contradicting), groups(contradicting, 'of several classes'), contradicting > 0],
    [
      grouped(check.missing.length),
      `${check.missing.length === 1 ? 'class' : 'classes'} missing in a split`,
      check.missing.length > 0,
    ],
    [`${check.imbalance.toFixed(1)}×`, 'largest to smallest class', check.imbalance >= 10],
    [grouped(check.smaller.images.length), 'smaller than the input', false],
  ];
  return `<ul class="tiles">${all
    .map(([value, what, bad]) => `<li${bad ? ' class="bad"' : ''}><b>${value}</b> ${html(what)}</li>`)
    .join('')}</ul>`;
}

function classBars({ check }: Checked): string {
  const most = Math.max(...check.classes.map(({ images }) => images));
  const names = check.splits.map(({ name }) => name);
  const legend =
    names.length < 2
      ? ''
      : `<p class="legend">${names.map((name, index) => `<span class="key s${index}"></span>${html(name)} `).join('')}</p>`;
  const rows = check.classes.map(({ name, images, perSplit }) => {
    const parts = names.map(
      (split, index) => `<i class="s${index}" style="width:${((perSplit[split] ?? 0) / most) * 100}%"></i>`,
    );
    return `<tr><th>${html(name)}</th><td class="count">${grouped(images)}</td><td class="bar">${parts.join('')}</td></tr>`;
  });
  return `${legend}<table>${rows.join('')}</table>`;
}

type Figure = (image: CheckedImage, text?: string) => Promise<string>;

function figures({ check, all, indexOf }: Checked): Figure {
  return async (image, text = check.splits.length === 1 ? image.class : `${image.class}, ${image.split}`) => {
    const { split, index } = all.at(indexOf(image.file));
    const png = await thumbnail(split.dataset, index, { side: 112 });
    const name = nameIn(check.source, image.file);
    return png === undefined
      ? ''
      : `<figure><img src="data:image/png;base64,${png}" alt="${html(name)}" title="${html(name)}" loading="lazy"><figcaption>${html(text)}<small>${html(basename(name))}</small></figcaption></figure>`;
  };
}

async function strip<T>(images: readonly T[], draw: (image: T) => Promise<string>): Promise<string> {
  const drawn: string[] = [];
  for (const image of images.slice(0, limits.others)) drawn.push(await draw(image));
  return drawn.length === 0 ? '' : `<div class="strip">${drawn.join('')}</div>`;
}

async function groupCards(groups: readonly DuplicateGroup[], figure: Figure): Promise<string> {
  const cards: string[] = [];
  for (const { images, acrossSplits, acrossClasses } of groups.slice(0, limits.groups)) {
    const drawn: string[] = [];
    for (const image of images.slice(0, limits.images)) drawn.push(await figure(image));
    const more = images.length - limits.images;
    const marks = [
      acrossSplits && '<span class="mark">across splits</span>',
      acrossClasses && '<span class="mark">several classes</span>',
    ].filter(Boolean);
    cards.push(
      `<div class="card"><div class="strip">${drawn.join('')}${more > 0 ? `<p class="quiet">and ${grouped(more)} more</p>` : ''}</div>${marks.join(' ')}</div>`,
    );
  }
  return cards.length === 0 ? '' : `<div class="cards">${cards.join('')}</div>`;
}

/** The colours are those of the dashboard. */
const style = `
:root { color-scheme: light dark; --paper: light-dark(#f6f7f9, #101418); --sheet: light-dark(#ffffff, #181d23); --ink: light-dark(#1a2129, #e7ecf1);
  --quiet: light-dark(#56626f, #a3afbb); --edge: light-dark(#d5dbe1, #323b45); --wrong: light-dark(#b3261e, #f2928b); --wrong-tint: light-dark(#fdeceb, #421d1b);
  font: 16px / 1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; background: var(--paper); color: var(--ink); }
body { max-width: 1180px; margin: 0 auto; padding: 24px; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .4rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 0 0 .3rem; }
.quiet, small { color: var(--quiet); } p { margin: 0 0 .8rem; }
section { background: var(--sheet); border: 1px solid var(--edge); border-radius: 8px; padding: 16px 18px; margin: 18px 0; }
.tiles { list-style: none; display: grid; grid-template-columns: repeat(auto-fill, minmax(130px, 1fr)); gap: 10px; padding: 0; margin: 0; }
.tiles li { background: var(--sheet); border: 1px solid var(--edge); border-radius: 8px; padding: 10px 12px; font-size: .85rem; color: var(--quiet); }
.tiles b { display: block; font-size: 1.35rem; color: var(--ink); font-variant-numeric: tabular-nums; } .tiles .bad, .tiles .bad b { color: var(--wrong); }
table { border-collapse: collapse; width: 100%; font-size: .9rem; } th { text-align: left; font-weight: 500; padding: 2px 12px 2px 0; white-space: nowrap; }
.count { text-align: right; font-variant-numeric: tabular-nums; padding: 2px 12px 2px 0; } .bar { width: 100%; } .bar i { display: inline-block; height: .8em; vertical-align: middle; }
.bar i:first-child { border-radius: 2px 0 0 2px; }
.s0 { background: light-dark(#0b65a8, #6cb6f0); } .s1 { background: light-dark(#c2500a, #f0924e); } .s2 { background: light-dark(#00785a, #3cc79c); }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .4em 0 .8em; vertical-align: -1px; } .legend { font-size: .9rem; }
.cards { display: flex; flex-wrap: wrap; gap: 12px; } .card { border: 1px solid var(--edge); border-radius: 8px; padding: 10px; }
.strip { display: flex; flex-wrap: wrap; gap: 10px; align-items: flex-end; } figure { margin: 0; width: 116px; font-size: .78rem; line-height: 1.3; }
figure img { display: block; max-width: 112px; max-height: 112px; margin: 0 auto 4px; border-radius: 4px; background: #fff; } figcaption { overflow-wrap: anywhere; } small { display: block; }
.mark { display: inline-block; margin-top: 8px; font-size: .78rem; padding: 1px 8px; border-radius: 999px; color: var(--wrong); background: var(--wrong-tint); }
.plain { padding-left: 1.2em; font-size: .9rem; overflow-wrap: anywhere; }
`;
