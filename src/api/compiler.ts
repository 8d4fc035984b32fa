/** `inception-networks/compiler`: graphs as programs for an engine. Its names may change with every version. */
export { CompileError } from '../compile/compile-error.ts';
export { compileInference } from '../compile/inference/compile-inference.ts';
export { mergeStores } from '../compile/merge-stores.ts';
export type {
  CompiledInference,
  CompiledTraining,
  InferenceOptions,
  TrainingOptions,
} from '../compile/options.ts';
export {
  checkProgram,
  type Program,
  ProgramError,
  printProgram,
  type Step,
  type StoreSpec,
} from '../compile/program.ts';
export { compileTraining } from '../compile/training/compile-training.ts';
export type { HostArray, HostTensor, LoadedProgram, Store } from '../engine/engine.ts';
