/** `inception reproduce`: the paper's claims as experiments. */
import Table from 'cli-table3';
import type { Command } from 'commander';
import { UsageError } from '../../errors.ts';
import type { ScaleName } from '../../reproduce/claim.ts';
import { onInterruption } from '../signals.ts';
import { oneOf, wholeNumber } from '../usage.ts';

interface Values {
  readonly out?: string;
  readonly scale?: ScaleName;
  readonly seeds?: number;
  readonly jobs?: number;
  readonly threads?: number;
  readonly data?: string;
  readonly json?: boolean;
}

/** Without 'smoke', which tries the machinery out. */
const shownScales = ['minutes', 'hours', 'gpu'] as const;

export function addReproduce(program: Command): void {
  program
    .command('reproduce')
    .description("rerun a claim of the paper at this machine's size, with paired seeds, and write a report")
    .argument('[claim]', 'the claim; without one, all are listed with the time that each scale takes here')
    .option('-o, --out <folder>', 'folder of the experiment: its runs, measurements and report')
    .option(
      '--scale <scale>',
      'minutes, hours or gpu; smoke only tries the machinery out, in seconds (default: minutes)',
      oneOf('--scale', ['smoke', ...shownScales]),
    )
    .option('--seeds <n>', "number of seeds (default: the scale's)", wholeNumber('--seeds'))
    .option(
      '--jobs <n>',
      'trainings at a time; the cores are divided among them (default: 1)',
      wholeNumber('--jobs'),
    )
    .option('--threads <n>', 'threads of each training', wholeNumber('--threads'))
    .option(
      '--data <data>',
      "data of the trainings, as of 'inception train' (default: the claim's, usually fashion-mnist)",
    )
    .option('--json', 'without a claim: print the list as JSON')
    .addHelpText(
      'after',
      `
An experiment is a set of ordinary trainings in FOLDER/runs ('inception dashboard --runs FOLDER/runs' shows them). Ctrl-C lets
them save; the same command goes on, and repeats nothing that has ended; more --seeds are added.

Examples:
  inception reproduce
  inception reproduce sum-normalisation --out reproduced/sum-normalisation
  inception reproduce residual-connections --scale hours --jobs 2 --out reproduced/residual-connections`,
    )
    .action((claim: string | undefined, values: Values) =>
      claim === undefined ? listClaims(values) : run(claim, values),
    );
}

async function listClaims({ json, ...others }: Values): Promise<void> {
  const [idle] = Object.keys(others);
  if (idle !== undefined)
    throw new UsageError(
      `--${idle}: has no effect without a claim; expected one, as 'inception reproduce' lists them`,
    );
  const { claims } = await import('../../reproduce/claims/claims.ts');
  const { measureSpeed } = await import('../../reproduce/speed.ts');
  const { estimatedSeconds } = await import('../../reproduce/estimate.ts');
  const { roughTime, short } = await import('../../reproduce/report/numbers.ts');
  const speed = await measureSpeed();
  const estimates = claims.map((claim) => ({
    claim: claim.id,
    title: claim.title,
    where: claim.where,
    seconds: Object.fromEntries(
      shownScales.map((scale) => [scale, estimatedSeconds(claim, scale, speed) ?? null]),
    ) as Record<(typeof shownScales)[number], number | null>,
  }));
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...speed, claims: estimates }, null, 2)}\n`);
    return;
  }
  const table = new Table({
    head: ['claim', '', ...shownScales],
    style: { head: [], border: [], compact: true },
  });
  for (const { claim, title, seconds } of estimates)
    table.push([
      claim,
      title,
      ...shownScales.map((scale) => (seconds[scale] === null ? 'on CUDA' : roughTime(seconds[scale]))),
    ]);
  process.stdout.write(
    `${table.toString()}\ntimes from multiply-adds and the speed measured just now, ${short(speed.macsPerSecond)} multiply-adds a second on ${speed.device}: rough\n`,
  );
}

async function run(id: string, values: Values): Promise<void> {
  const { findClaim } = await import('../../reproduce/claims/claims.ts');
  const claim = findClaim(id);
  const { out, scale = 'minutes', seeds, jobs, threads, data, json } = values;
  if (json)
    throw new UsageError('--json: has no effect with a claim, whose report is report.md and report.html');
  if (out === undefined) throw new UsageError('--out: expected the folder of the experiment');
  if (claim.kind === 'memory')
    for (const name of ['data', 'jobs', 'threads'] as const)
      if (values[name] !== undefined)
        throw new UsageError(
          `--${name}: has no effect on ${id}, which trains nothing and measures one process at a time`,
        );
  const { reproduce } = await import('../../reproduce/reproduce.ts');
  const { commandText } = await import('../../train/configuration/command-arguments.ts');
  const given = Object.entries({ out, scale, seeds, jobs, threads, data }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, String(value)],
  );
  const interruption = onInterruption();
  try {
    const { complete, files } = await reproduce(claim, {
      ...{ out, scale, seeds, jobs, threads, data },
      command: commandText(['reproduce', id, ...given]),
      signal: interruption.signal,
      say: (line) => process.stderr.write(`${line}\n`),
    });
    for (const file of files) process.stdout.write(`${file}\n`);
    if (!complete)
      interruption.throwIfInterrupted(
        `stopped; the same command goes on, and the report is of what there is`,
      );
  } finally {
    interruption.end();
  }
}
