/** `inception doctor`: checks the machine. */
import type { Command } from 'commander';
import { examine, type Finding } from '../doctor.ts';
import { colours } from '../output/colours.ts';

const marks: Readonly<Record<Finding['state'], string>> = {
  ok: colours.green('✓'),
  warning: colours.yellow('!'),
  missing: colours.red('✗'),
};

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('check this machine and explain how to install what is missing')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  inception doctor\n  inception doctor --json')
    .action(async ({ json }: { json?: boolean }) => {
      const findings = await examine();
      process.stdout.write(json ? `${JSON.stringify(findings, null, 2)}\n` : text(findings));
      if (findings.some(({ state }) => state === 'missing')) process.exitCode = 1;
    });
}

const text = (findings: readonly Finding[]): string =>
  findings
    .map(({ part, state, found, advice }) => {
      const line = `${marks[state]} ${part.padEnd(16)} ${found}\n`;
      return advice === undefined ? line : `${line}  ${' '.repeat(16)} → ${advice}\n`;
    })
    .join('');
