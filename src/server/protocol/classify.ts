/** `POST /classify`: images in, the most probable labels out. */
import { type Classifications, rank } from '../../classifier/classification.ts';
import { RequestError } from '../http/request-error.ts';
import type { Service } from '../service.ts';
import type { ClassifyRequest } from './classify-request.ts';

export interface ClassifyAnswer {
  readonly model: string;
  /** In the order of the images. */
  readonly results: readonly ImageResult[];
}

/** The labels of an image, or why it has none: one corrupt image does not take the others' answers. */
export type ImageResult =
  | { readonly name: string; readonly labels: Classifications }
  | { readonly name: string; readonly error: string };

/** @throws RequestError when the model is unknown, the queue is full, or no image can be decoded. */
export async function classify(
  service: Service,
  { model: name, top = 5, images }: ClassifyRequest,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<ClassifyAnswer> {
  const hosted = service.find(name);
  const { preprocessing, classes, classIds, name: model } = hosted.model;
  if (classes.length === 0)
    throw new RequestError(
      400,
      `'${model}' has no classifier; POST /v2/models/${model}/infer gives its embedding`,
    );
  if (![1, 3].includes(preprocessing.channels ?? 3))
    throw new RequestError(
      400,
      `'${model}' takes ${preprocessing.channels} channels, and images have 3 or 1; POST /v2/models/${model}/infer takes its tensors`,
    );
  const maxImages = service.settings.images;
  if (images.length === 0) throw new RequestError(400, 'expected at least one image, received none');
  if (images.length > maxImages)
    throw new RequestError(400, `at most ${maxImages} images per request, received ${images.length}`);
  const options = { rows: images.length, ...(signal && { signal }) };
  return service.run(hosted, options, async (ticket) => {
    const labelsOf = async (job: { name: string; bytes: Uint8Array }): Promise<Classifications> => {
      const row = await service.images.prepare({ ...job, preprocessing }, { signal: ticket.signal });
      return rank(await ticket.submit(row), { classes, classIds, top });
    };
    const failures: RequestError[] = [];
    const results = await Promise.all(
      images.map(async ({ name, bytes }): Promise<ImageResult> => {
        try {
          return { name, labels: await labelsOf({ name, bytes }) };
        } catch (error) {
          if (!(error instanceof RequestError) || error.status !== 400) throw error;
          failures.push(error);
          return { name, error: error.message };
        }
      }),
    );
    if (failures.length === images.length) throw failures[0];
    return { model, results };
  });
}
