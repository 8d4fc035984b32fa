/**
 * Requests that change something: stopping and resuming a run, its notes, and teaching from uploaded images. They need the token that the command
 * printed, so that neither another user of this machine nor a page of another site can send them.
 */
import { mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { describeIssues } from '../../parse-json.ts';
import { checkOrigin } from '../../server/http/access/allowed-hosts.ts';
import { checkToken } from '../../server/http/access/token.ts';
import { RequestError } from '../../server/http/request-error.ts';
import type { Control, TeachStarted } from '../api.ts';
import { isExperiment } from '../experiments.ts';
import { notesSchema, writeNotes } from '../notes.ts';
import { runFolders } from '../runs.ts';
import { ControlError, startTraining, stopTraining } from './trainings.ts';
import { weightsIn } from './weights.ts';

export interface ControlOptions {
  /** Folder of run folders. */
  readonly runs: string;
  /** Folder of further models. */
  readonly models: string | undefined;
  /** What requests must carry; undefined for a dashboard that only reads. */
  readonly token: string | undefined;
}

/** Where uploaded images lie, inside the folder of runs. */
export const taughtFolder = '.taught';

const maxImageBytes = 64 * 2 ** 20;

/** A folder's name: no separators, nothing hidden, nothing that a shell or a file system takes for something else. */
const runName = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,99}$/u;

/** Folders of these names are splits, not classes. */
const splitNames: readonly string[] = ['train', 'val', 'validation', 'test'];

const teachRequest = z.strictObject({
  weights: z.union([
    z.strictObject({ id: z.string().max(1000) }),
    z.strictObject({ hub: z.string().regex(/^[\w.-]{1,100}\/[\w.-]{1,100}$/) }),
  ]),
  method: z.enum(['probe', 'fine-tune']),
});

const notesRequest = z.strictObject({ before: notesSchema.nullable(), notes: notesSchema });

export function addControl(app: FastifyInstance, { runs, models, token }: ControlOptions): void {
  app.get('/api/control', async (): Promise<Control> => ({ training: token !== undefined }));
  const permitted = async (request: FastifyRequest) => {
    if (token === undefined)
      throw new RequestError(
        403,
        "this dashboard only reads; 'inception dashboard --allow-training' changes that",
      );
    const { origin, host, authorization } = request.headers;
    checkOrigin({ origin, host }, []);
    checkToken(authorization, token);
  };
  const folderOf = async (id: string): Promise<string> => {
    const folder = (await runFolders(runs)).get(id);
    if (folder === undefined) throw new RequestError(404, `there is no run '${id}'`);
    return folder;
  };

  app.post<Named>('/api/runs/:name/stop', { onRequest: permitted }, async ({ params: { name } }, reply) => {
    await stopTraining(await folderOf(name));
    return reply.code(202).send({});
  });
  app.post<Named>('/api/runs/:name/resume', { onRequest: permitted }, async ({ params: { name } }, reply) => {
    const folder = await folderOf(name);
    await startTraining(['--resume', '--out', folder], { folder });
    return reply.code(202).send({});
  });

  app.put<Named>(
    '/api/runs/:name/notes',
    { onRequest: permitted, bodyLimit: 2 ** 18 },
    async ({ params: { name }, body }, reply) => {
      const folder = await folderOf(name);
      const parsed = notesRequest.safeParse(body);
      if (!parsed.success)
        throw new RequestError(400, describeIssues(parsed.error.issues, { root: 'request' }));
      await writeNotes(folder, parsed.data);
      return reply.code(200).send({});
    },
  );

  app.get('/api/weights', { onRequest: permitted }, async () => ({
    weights: (await weightsIn(runs, models)).map(({ id, name }) => ({ id, name })),
  }));
  app.addContentTypeParser(
    'application/octet-stream',
    { parseAs: 'buffer', bodyLimit: maxImageBytes },
    (_, body, done) => done(null, body),
  );
  const inFolderOfRuns = async () => {
    if (await exists(join(runs, 'config.json')))
      throw new ControlError(
        'the dashboard shows a single run; start it with the folder of runs to train others',
      );
    if (isExperiment(runs))
      throw new ControlError(
        'the dashboard shows a single experiment; start it with the folder of runs to train others',
      );
  };
  app.put<Upload>(
    '/api/teach/:name/:class/:file',
    { onRequest: permitted, bodyLimit: maxImageBytes },
    async ({ params, body }, reply) => {
      await inFolderOfRuns();
      const path = join(dataFolder(runs, params.name), className(params.class), fileName(params.file));
      await mkdir(dirname(path), { recursive: true });
      // Nothing that is there is written over.
      const file = await open(path, 'wx').catch((error: NodeJS.ErrnoException) => {
        throw error.code === 'EEXIST' ? new RequestError(400, `${params.file} is there already`) : error;
      });
      try {
        await file.writeFile(body);
      } finally {
        await file.close();
      }
      return reply.code(201).send({});
    },
  );
  app.delete<Named>('/api/teach/:name', { onRequest: permitted }, async ({ params: { name } }, reply) => {
    const data = dataFolder(runs, name);
    if (await exists(join(runs, name)))
      throw new ControlError(`the run '${name}' was trained on these images; they stay`);
    await rm(data, { recursive: true, force: true });
    return reply.code(204).send();
  });
  app.post<Named>('/api/teach/:name', { onRequest: permitted }, async ({ params: { name }, body }, reply) => {
    const parsed = teachRequest.safeParse(body);
    if (!parsed.success)
      throw new RequestError(400, describeIssues(parsed.error.issues, { root: 'request' }));
    const { weights, method } = parsed.data;
    const data = dataFolder(runs, name);
    if (!(await exists(data))) throw new RequestError(404, `no images were sent for '${name}'`);
    const folder = join(runs, name);
    if (await exists(folder)) throw new ControlError(`there is a run '${name}' already; choose another name`);
    const from =
      'hub' in weights
        ? `hub:${weights.hub}`
        : (await weightsIn(runs, models)).find(({ id }) => id === weights.id)?.path;
    if (from === undefined) throw new RequestError(404, 'the weights are not there any more');
    await mkdir(folder);
    try {
      const frozen = method === 'probe' ? ['--freeze', 'all'] : [];
      await startTraining(['--weights', from, '--data', data, '--out', folder, ...frozen], { folder });
    } catch (error) {
      // The name is free again; the images stay until the page takes them back.
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
    return reply.code(202).send({ run: name } satisfies TeachStarted);
  });
}

interface Named {
  Params: { name: string };
}

interface Upload {
  Params: { name: string; class: string; file: string };
  Body: Buffer;
}

function dataFolder(runs: string, name: string): string {
  if (!runName.test(name))
    throw new RequestError(
      400,
      `the name of a run: expected letters, digits, spaces, dots, dashes and underscores, beginning with a letter or digit, at most 100; received '${name}'`,
    );
  return join(runs, taughtFolder, name);
}

function className(name: string): string {
  const isFolder = name.trim() !== '' && !name.startsWith('.') && !/[\\/\0]/.test(name);
  if (!isFolder || Buffer.byteLength(name) > 255)
    throw new RequestError(400, `the class '${name}' cannot be the name of a folder`);
  if (splitNames.includes(name.toLowerCase()))
    throw new RequestError(
      400,
      `the class '${name}' has the name of a split of a data set; give it another one`,
    );
  return name;
}

function fileName(name: string): string {
  if (!/^\d{1,6}\.(jpe?g|png|webp|gif|avif|tiff?)$/.test(name))
    throw new RequestError(400, `expected the name of an image as 12.jpg, received '${name}'`);
  return name;
}

const exists = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined)) !== undefined;
