/** Child processes for work that must stay out of this one: parsing and running untrusted files, and blocking computations. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Helper {
  readonly child: ChildProcess;
  /** The end of its standard error as `: text`, or an empty string. */
  stderrTail(): string;
}

/** Characters of standard error kept for the error message. */
const maxTail = 500;

/** Tests run the sources, which Node.js 20 cannot fork; the child process then runs the build. */
export const builtProgram = (name: string): string =>
  fileURLToPath(new URL(`../dist/${name}.js`, import.meta.url));

export function startHelper(
  program: string,
  {
    env,
    onSpawn,
  }: { readonly env: NodeJS.ProcessEnv; readonly onSpawn?: ((pid: number) => void) | undefined },
): Helper {
  const child = fork(program, [], {
    serialization: 'advanced',
    env,
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  if (child.pid !== undefined) onSpawn?.(child.pid);
  child.on('error', () => child.kill('SIGKILL'));
  let tail = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-maxTail);
  });
  return { child, stderrTail: () => tail.trim() && `: ${tail.trim()}` };
}
