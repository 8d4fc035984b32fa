/** What `bin/inception` runs. */
import { watchStandardStreams } from './output/standard-streams.ts';
import { runCommandLine } from './run-command-line.ts';

watchStandardStreams();
await runCommandLine(process.argv.slice(2));
