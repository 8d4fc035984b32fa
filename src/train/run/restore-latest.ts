/** What `--resume` finds in a run folder: the newest whole checkpoint, and whether the model is that of the last evaluation. */
import { runFiles } from '../../model/run-layout.ts';
import { openSafetensors } from '../../weights/safetensors/safetensors.ts';
import { WeightsError } from '../../weights/tensor-file.ts';
import { RunError } from '../configuration/configuration.ts';
import { DamagedCheckpointError, restoreCheckpoint, type Trained } from './checkpoint.ts';
import type { RunFolder } from './run-folder.ts';
import type { TrainingState } from './training-state.ts';

/**
 * Fills the store from the newest checkpoint that is whole. Newer ones that are damaged are kept under another name.
 * @returns undefined if there are no checkpoints.
 * @throws RunError if there are some and none of them is whole.
 */
export async function restoreLatest(
  folder: RunFolder,
  trained: Trained,
  onWarning: (message: string) => void = () => {},
): Promise<TrainingState | undefined> {
  const damaged: { readonly step: number; readonly problem: string }[] = [];
  for (const step of await folder.checkpoints()) {
    const path = folder.checkpoint(step);
    try {
      const state = await restoreCheckpoint(path, trained);
      if (state.position.step !== step)
        throw new DamagedCheckpointError(
          `${path}: expected the state after step ${step}, received that after step ${state.position.step}`,
        );
      for (const { step: newer, problem } of damaged)
        onWarning(
          `${problem}; continuing from ${path}, and the damaged file is kept as ${await folder.setAside(newer)}`,
        );
      return state;
    } catch (error) {
      if (!(error instanceof DamagedCheckpointError)) throw error;
      damaged.push({ step, problem: error.message });
    }
  }
  if (damaged.length === 0) return undefined;
  throw new RunError(
    `${folder.path}: no checkpoint is whole; remove ${damaged.map(({ step }) => folder.checkpoint(step)).join(' and ')} to resume from step 0. ${damaged.map(({ problem }) => problem).join('. ')}`,
  );
}

/** Why the run's model is not whole or not that of the evaluation after this step; undefined if it is. */
export async function modelProblem(
  folder: RunFolder,
  { step, file: name = 'model' }: { readonly step: number; readonly file?: 'model' | 'last' },
): Promise<string | undefined> {
  const path = folder.file(runFiles[name]);
  try {
    const file = await openSafetensors(path);
    try {
      for (const name of file.tensors.keys()) await file.read(name);
      const written = file.metadata.get('step');
      return written === String(step)
        ? undefined
        : `${path}: expected the model of the evaluation after step ${step}, received that ${written === undefined ? 'of an earlier version of this program' : `after step ${written}`}`;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof WeightsError) return error.message;
    throw error;
  }
}
