/**
 * docs/claims.md: every claim in the paper's words, what was tried, and the result, taken from its report or said to be missing. Pure;
 * scripts/claims-page.mjs writes it.
 */
import type { Claim } from '../claim.ts';
import { escapeMarkdown, figuresFolder } from './blocks.ts';

/** Folders of a claim's reports below docs/claims, by the data that they are of. */
export const foldersOf = ({ id }: Claim): Readonly<Record<'usual' | 'photographs', string>> => ({
  usual: id,
  photographs: `${id}-photos`,
});

/** What is run where results for the documentation are made. */
export const commandOf = (claim: Claim): string =>
  `inception reproduce ${claim.id} --scale hours${needsData(claim) ? ' --data photos' : ''} --out docs/claims/${foldersOf(claim).usual}`;

const needsData = (claim: Claim): boolean =>
  claim.kind === 'training' && claim.scales.hours.data === undefined;

/** The text between a heading and the next one. @throws TypeError where there is no such heading */
function sectionOf(report: string, heading: string): string {
  const [, after] = report.split(`\n## ${heading}\n`);
  if (after === undefined) throw new TypeError(`the report has no heading '${heading}'`);
  return (after.split('\n## ')[0] as string).trim();
}

const figuresOf = (report: string): readonly string[] =>
  report.split('\n').filter((line) => line.startsWith(`![`) && line.includes(`](${figuresFolder}/`));

function resultsOf(claim: Claim, reports: ReadonlyMap<string, string>): readonly string[] {
  const { usual, photographs } = foldersOf(claim);
  const found = [
    { folder: usual, words: 'Result' },
    { folder: photographs, words: 'Result with photographs' },
  ].flatMap(({ folder, words }) => {
    const report = reports.get(folder);
    return report === undefined ? [] : resultOf(report, { folder: `claims/${folder}`, words });
  });
  return found.length > 0
    ? found
    : [
        ...(claim.pilot === undefined ? [] : [`**Seen so far.** ${escapeMarkdown(claim.pilot)}`]),
        `**Result: not run yet.** It was sized for ${claim.budgetMinutes} minutes on two cores with bfloat16 arithmetic:`,
        `\`\`\`sh\n${commandOf(claim)}\n\`\`\``,
      ];
}

const resultOf = (
  report: string,
  { folder, words }: { readonly folder: string; readonly words: string },
): readonly string[] => [
  `**${words}** ([the whole report](${folder}/report.md), with tables, machine and commands)`,
  sectionOf(report, 'Result'),
  ...figuresOf(report).map((line) => line.replace(`](${figuresFolder}/`, `](${folder}/${figuresFolder}/`)),
];

const sectionOfClaim = (claim: Claim, index: number, reports: ReadonlyMap<string, string>): string =>
  [
    `## ${index + 1}. ${escapeMarkdown(claim.title)}`,
    `> ${escapeMarkdown(claim.quote)}\n>\n> ${escapeMarkdown(claim.where)}`,
    `**What is tried.** ${escapeMarkdown(claim.varied)}`,
    `**How it is reduced.** ${escapeMarkdown(claim.reduction)}`,
    ...resultsOf(claim, reports),
    `**What it cannot show:** ${claim.cannotShow.map(escapeMarkdown).join('; ')}.`,
  ].join('\n\n');

function runOf(claims: readonly Claim[], reports: ReadonlyMap<string, string>): string {
  const { length } = claims.filter((claim) =>
    Object.values(foldersOf(claim)).some((folder) => reports.has(folder)),
  );
  return length === 0 ? 'none has' : `${length} ${length === 1 ? 'has' : 'have'}`;
}

/** @param reports every report.md that there is, by its folder below docs/claims */
export const claimsPage = (claims: readonly Claim[], reports: ReadonlyMap<string, string>): string =>
  `${[
    '# What the paper claims, and what was seen here',
    '<!-- Written by scripts/claims-page.mjs from src/reproduce/claims and the reports below docs/claims. -->',
    'Szegedy, Ioffe, Vanhoucke and Alemi, *Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning* ([arXiv 1602.07261](https://arxiv.org/abs/1602.07261)), make claims about training that few have rerun. Each of them is an experiment here: several trainings that differ in one thing, with the same seeds, at a size that a small machine allows. Nothing below is a result on ImageNet. A difference that is smaller than chance makes it is reported as none.',
    `${claims.length} claims, of which ${runOf(claims, reports)} been run at the scale \`hours\`. [docs/reproduce.md](reproduce.md) says how an experiment works, what its numbers are, and how it is continued on another machine.`,
    ...claims.map((claim, index) => sectionOfClaim(claim, index, reports)),
  ].join('\n\n')}\n`;
