// STUB
import { WeightsError } from './tensor-file.ts';
export class HubError extends WeightsError {}
export interface HubSettings {
  endpoint: string;
  cache: string;
  token: string | undefined;
  offline: boolean;
}
export async function hubSettings(): Promise<HubSettings> {
  throw new HubError('stub');
}
export function parseHubName(_: string): { repository: string; revision: string } {
  throw new HubError('stub');
}
export async function hubFile(_: {
  repository: string;
  revision: string;
  file: string;
  settings: HubSettings;
  optional?: boolean;
  onNotice?: (line: string) => void;
  onProgress?: (p: { file: string; done: number; total: number | undefined }) => void;
}): Promise<string | undefined> {
  throw new HubError('stub');
}
