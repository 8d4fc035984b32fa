/** What the server and the thread that reads large JSON bodies tell each other. */
import type { ErrorStatus } from '../http/request-error.ts';
import type { ServedModel } from '../models/served-model.ts';
import { type Choices, type ClassifyRequest, parseJson } from './classify-request.ts';
import { type InferenceRequest, type RequestLimits, readInferenceRequest } from './inference-request.ts';

/** What each kind of body is read with, besides its bytes, and what it becomes. */
export interface BodyKinds {
  readonly classify: { readonly options: { readonly query: Choices }; readonly request: ClassifyRequest };
  readonly infer: {
    readonly options: {
      readonly headerLength: string | undefined;
      readonly model: Pick<ServedModel, 'name' | 'input' | 'output'>;
      readonly limits: RequestLimits;
    };
    readonly request: InferenceRequest;
  };
}

export type BodyKind = keyof BodyKinds;

export interface BodyJob<Kind extends BodyKind = BodyKind> {
  readonly kind: Kind;
  readonly body: Uint8Array;
  readonly options: BodyKinds[Kind]['options'];
}

export type BodyAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'request'; readonly request: BodyKinds[BodyKind]['request'] }
  | { readonly kind: 'refused'; readonly status: ErrorStatus; readonly message: string };

/** How each kind is read, on either thread. @throws RequestError */
export const readers: {
  readonly [Kind in BodyKind]: (
    body: Uint8Array,
    options: BodyKinds[Kind]['options'],
  ) => BodyKinds[Kind]['request'];
} = {
  classify: (body, { query }) => parseJson(body, query),
  infer: readInferenceRequest,
};
