/** `inception dashboard`: the browser application over a folder of runs and models. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { createDashboard, listen } from '../../dashboard/server.ts';
import { isLoopback } from '../../server/http/access/allowed-hosts.ts';
import { wholeNumber } from '../usage.ts';

interface Values {
  readonly runs: string;
  readonly models?: string;
  readonly port: number;
  readonly host: string;
  readonly open: boolean;
  readonly allowTraining?: boolean;
}

export function addDashboard(program: Command): void {
  program
    .command('dashboard')
    .description('open the browser application: networks, classification, training runs')
    .option('--runs <folder>', 'folder of runs, or a single run', 'runs')
    .option('--models <folder>', 'folder with further .onnx files')
    .option('--port <n>', 'port to listen on; 0 picks a free one', wholeNumber('--port', 0), 4180)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option(
      '--allow-training',
      'let the page stop, resume and start trainings and write notes of runs; the address that is printed then carries the permission',
    )
    .option('--no-open', 'print the address without opening a browser')
    .addHelpText(
      'after',
      `
Files are only read, never written, unless --allow-training is given; curves update while a training runs. Ctrl-C stops the
server, and no training.

Examples:
  inception dashboard
  inception dashboard --allow-training
  inception dashboard --runs /data/runs --port 8080 --no-open`,
    )
    .action(run);
}

async function run({ runs, models, port, host, open, allowTraining }: Values): Promise<void> {
  const token = allowTraining ? randomBytes(24).toString('base64url') : undefined;
  const app = await createDashboard({ runs, models, host, token });
  const exitCode = new Promise<number>((resolve) => {
    process.once('SIGINT', () => resolve(130));
    process.once('SIGTERM', () => resolve(143));
  });
  const root = await listen(app, { port, host });
  // After the #, a browser sends it to no server.
  const address = token === undefined ? root : `${root}/#/runs?token=${token}`;
  process.stdout.write(`${address}\n`);
  if (token !== undefined)
    process.stderr.write(
      `whoever has this address may start and stop trainings${isLoopback(host) ? '' : '; on the way to other machines it can be read, as this is no https://'}\n`,
    );
  if (open) openBrowser(address);
  process.exitCode = await exitCode;
  await app.close();
}

/** Opens the address in the default browser; without a desktop, the printed address has to do. */
function openBrowser(address: string): void {
  const [command, ...args] =
    process.platform === 'darwin'
      ? ['open']
      : process.platform === 'win32'
        ? ['cmd', '/c', 'start', '']
        : ['xdg-open'];
  const child = spawn(command as string, [...args, address], { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}
