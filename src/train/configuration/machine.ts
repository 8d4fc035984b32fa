/** The machine that a run is begun on, for its config.json. */
import { arch, availableParallelism, platform, release, totalmem } from 'node:os';
import type { EngineFacts } from '../../engine/engine.ts';
import type { Configuration } from './configuration.ts';

export const machineOf = ({
  hardware,
}: Pick<EngineFacts, 'hardware'>): NonNullable<Configuration['machine']> => ({
  hardware,
  cores: availableParallelism(),
  memoryBytes: totalmem(),
  system: `${platform()} ${release()} ${arch()}`,
});
