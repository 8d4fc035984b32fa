/** Stops and resumes a run, where the dashboard allows it. */
import { useState } from 'react';
import type { RunSummary } from '../../../src/dashboard/api.ts';
import { send, usePermission } from '../control.ts';

export function RunControl({ run: { id, training, epoch, epochs } }: { run: RunSummary }) {
  const permission = usePermission();
  const [asked, setAsked] = useState<'stop' | 'resume'>();
  const [problem, setProblem] = useState<string>();
  const action = training ? 'stop' : epoch < epochs ? 'resume' : undefined;
  // What was asked for has happened.
  if (asked !== undefined && action !== asked) setAsked(undefined);
  if (action === undefined || permission === 'unknown' || permission === 'no server') return null;
  if (permission !== 'may train')
    return (
      <p className="quiet">
        {permission === 'reads'
          ? `This page only reads. Started with --allow-training, the dashboard can ${action} this run.`
          : `To ${action} this run, open the address that the dashboard printed: it carries the permission.`}
      </p>
    );
  const act = async () => {
    setAsked(action);
    setProblem(undefined);
    try {
      await send(`runs/${encodeURIComponent(id)}/${action}`, { method: 'POST', body: {} });
    } catch (error) {
      setAsked(undefined);
      setProblem((error as Error).message);
    }
  };
  const labels = {
    stop: ['Stop, with a checkpoint', 'Stopping after this step…'],
    resume: ['Resume', 'Resuming…'],
  } as const;
  return (
    <>
      <p>
        <button type="button" disabled={asked !== undefined} onClick={() => void act()}>
          {labels[action][asked === undefined ? 0 : 1]}
        </button>
      </p>
      {problem !== undefined && <p role="alert">{problem}</p>}
    </>
  );
}
