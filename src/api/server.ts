/** `inception-networks/server`: models behind HTTP, as `inception serve` does. */
export {
  type NamedModel,
  openServedModels,
  type ServedModels,
  type ServedModelsOptions,
} from '../server/models/open-served-models.ts';
export type { ServedModel } from '../server/models/served-model.ts';
export { defaultSettings, type ServerSettings } from '../server/settings.ts';
export { type RunningServer, type StartServerOptions, startServer } from '../server/start-server.ts';
