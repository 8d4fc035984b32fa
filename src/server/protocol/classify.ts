/** `POST /classify`: images in, the most probable labels out. */
import { topClasses } from '../../predict/top-classes.ts';
import { RequestError } from '../http/request-error.ts';
import type { Service } from '../service.ts';
import type { ClassifyRequest } from './classify-request.ts';

export interface ClassifyAnswer {
  readonly model: string;
  readonly results: readonly {
    readonly name: string;
    readonly labels: readonly {
      readonly label: string;
      /** The data set's identifier of the class, where the model has one. */
      readonly id?: string;
      readonly index: number;
      readonly probability: number;
    }[];
  }[];
}

/** @throws RequestError when the model is unknown, the queue is full, or an image cannot be decoded. */
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
    const results = images.map(async ({ name: imageName, bytes }) => {
      const job = { bytes, preprocessing, name: imageName };
      const row = await service.images.prepare(job, { signal: ticket.signal });
      const probabilities = await ticket.submit(row);
      const labels = topClasses(probabilities, { classes: classes.length, k: top }).map(
        ({ label, probability }) => ({
          label: classes[label] as string,
          ...(classIds?.[label] !== undefined && { id: classIds[label] }),
          index: label,
          probability,
        }),
      );
      return { name: imageName, labels };
    });
    return { model, results: await Promise.all(results) };
  });
}
