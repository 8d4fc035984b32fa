/** Processes of our own that do what the server must not: read files of strangers, or keep its thread busy. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { lowerPriority } from './priority.ts';

export interface Helper {
  readonly child: ChildProcess;
  /** The end of what it wrote to standard error, as `: its words`; nothing if it said nothing. */
  lastWords(): string;
}

/** Characters of what a process said at its end. */
const mostSaid = 500;

/** Tests run the sources, which Node.js 20 cannot; the process is then the built one. */
export const builtProgram = (name: string): string =>
  fileURLToPath(new URL(`../../dist/server/${name}.js`, import.meta.url));

export function startHelper(
  program: string,
  { env, below }: { readonly env: NodeJS.ProcessEnv; readonly below: number },
): Helper {
  const child = fork(program, [], {
    serialization: 'advanced',
    env,
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  if (child.pid !== undefined) lowerPriority(child.pid, below);
  child.on('error', () => child.kill('SIGKILL'));
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-mostSaid);
  });
  return { child, lastWords: () => said.trim() && `: ${said.trim()}` };
}
