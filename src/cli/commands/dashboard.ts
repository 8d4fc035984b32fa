/** `inception dashboard`: the browser application over a folder of runs and models. */
import { spawn } from 'node:child_process';
import type { Command } from 'commander';
import { createDashboard, listen } from '../../dashboard/server.ts';
import { wholeNumber } from '../usage.ts';

interface Values {
  readonly runs: string;
  readonly models?: string;
  readonly port: number;
  readonly host: string;
  readonly open: boolean;
}

export function addDashboard(program: Command): void {
  program
    .command('dashboard')
    .description('open the browser application: networks, classification, training runs')
    .option('--runs <folder>', 'folder of runs, or a single run', 'runs')
    .option('--models <folder>', 'folder with further .onnx files')
    .option('--port <n>', 'port to listen on; 0 picks a free one', wholeNumber('--port', 0), 4180)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--no-open', 'print the address without opening a browser')
    .addHelpText(
      'after',
      `
Files are only read, never written; curves update while a training runs. Ctrl-C stops the server.

Examples:
  inception dashboard
  inception dashboard --runs /data/runs --port 8080 --no-open`,
    )
    .action(run);
}

async function run({ runs, models, port, host, open }: Values): Promise<void> {
  const app = await createDashboard({ runs, models, host });
  const exitCode = new Promise<number>((resolve) => {
    process.once('SIGINT', () => resolve(130));
    process.once('SIGTERM', () => resolve(143));
  });
  const address = await listen(app, { port, host });
  process.stdout.write(`${address}\n`);
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
