/** `POST /v2/models/…/infer`: tensors in, tensors out, as in the Open Inference Protocol. */

import { rowLength, type Values } from '../models/served-model.ts';
import type { Hosted, Service } from '../service.ts';
import { jsonLengthOf } from './inference-request.ts';
import { type InferenceResponse, writeInferenceResponse } from './inference-response.ts';

/** @throws RequestError when the request is malformed or the queue is full. */
export async function infer(
  service: Service,
  hosted: Hosted,
  {
    body,
    headerLength,
    signal,
  }: { body: Uint8Array; headerLength?: string | undefined; signal?: AbortSignal },
): Promise<InferenceResponse> {
  const { model } = hosted;
  const { name, input, output } = model;
  const limits = { images: service.settings.images };
  const request = await service.bodies.read(
    { kind: 'infer', body, options: { headerLength, model: { name, input, output }, limits } },
    { jsonBytes: jsonLengthOf(headerLength, body.length), signal },
  );
  const { rows, values, id, outputs } = request;
  const options = { rows, deadlineMs: request.timeoutMs, ...(signal && { signal }) };
  const length = rowLength(model.input);
  const results = await service.run(hosted, options, (ticket) =>
    Promise.all(
      Array.from({ length: rows }, (_, row) =>
        ticket.submit(values.subarray(row * length, (row + 1) * length) as Values),
      ),
    ),
  );
  return writeInferenceResponse(joined(results), { model, rows, id, outputs });
}

function joined(results: readonly Float32Array[]): Float32Array {
  const [first] = results as [Float32Array];
  if (results.length === 1) return first;
  const whole = new Float32Array(first.length * results.length);
  results.forEach((result, row) => {
    whole.set(result, row * first.length);
  });
  return whole;
}
