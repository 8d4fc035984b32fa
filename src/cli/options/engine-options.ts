/** The options of every command that runs a network, and opening the engine they select. */
import type { Command } from 'commander';
import type { RuntimeOptions } from '../../classifier/runtime.ts';
import type { InferencePrecision, Precision } from '../../compile/options.ts';
import type { Engine } from '../../engine/engine.ts';
import { threads } from '../../engine/engine-options.ts';
import { oneOf } from '../usage.ts';
import { addDeclared } from './declared-options.ts';

export interface EngineOptions {
  readonly device: 'auto' | 'cpu' | 'cuda';
  readonly precision: 'auto' | Precision;
  readonly threads?: number;
}

/** Of the commands that predict. */
export type InferenceOptions = Omit<EngineOptions, 'precision'> & {
  readonly precision: 'auto' | InferencePrecision;
};

export function addEngineOptions(command: Command): Command {
  addDevice(command).option(
    '--precision <precision>',
    'compute precision: float32, bfloat16, or auto (bfloat16 if the hardware supports it)',
    oneOf('--precision', ['auto', 'float32', 'bfloat16']),
    'auto',
  );
  return addDeclared(command, { threads });
}

/** For commands that only predict, also with int8 models. */
export function addInferenceOptions(command: Command): Command {
  addDevice(command).option(
    '--precision <precision>',
    "compute precision: float32, bfloat16, int8 (of a model that 'quantise' wrote), or auto (the model's, or bfloat16 if the hardware supports it)",
    oneOf('--precision', ['auto', 'float32', 'bfloat16', 'int8']),
    'auto',
  );
  return addDeclared(command, { threads });
}

/** For commands that compute in float32 whatever the hardware. */
export const addFloat32EngineOptions = (command: Command): Command =>
  addDeclared(addDevice(command), { threads });

const addDevice = (command: Command): Command =>
  command.option(
    '--device <device>',
    'device: auto, cpu or cuda',
    oneOf('--device', ['auto', 'cpu', 'cuda']),
    'auto',
  );

export async function openEngine({ device, threads }: Omit<EngineOptions, 'precision'>): Promise<Engine> {
  const { openTorch } = await import('../../engine/torch.ts');
  return openTorch({ device, ...(threads !== undefined && { threads }) });
}

/** The options for the runtime of a MODEL. */
export const runtimeOptions = ({ device, precision, threads }: InferenceOptions): RuntimeOptions => ({
  device,
  precision,
  threads,
});
