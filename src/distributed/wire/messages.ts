/** What processes of a group say to each other. Every message that arrives is held to these schemas. */
import { z } from 'zod';
import { parseJson } from '../../parse-json.ts';
import { FrameError } from './frames.ts';

const rank = z.number().int().min(0).max(1_000_000);
const name = z.string().max(1000);
const text = z.string().max(10_000);
/** Calls are numbered from the start of the group, which may last for weeks. */
const call = z.number().int().min(0);
const method = z.enum(['gather', 'fromFirst', 'barrier']);

/** How a peer was lost; `LostPeerError` says it in words. */
const loss = z.enum(['silent', 'closed', 'left', 'malformed', 'disagrees']);

const hello = z.strictObject({
  kind: z.literal('hello'),
  protocol: z.literal('inception-group'),
  version: name,
  run: name,
  attempt: z.number().int().min(0),
  size: rank,
  rank,
  host: z.string().max(255),
});

/** Why rank 0 does not take a process; 'ended': rank 0 itself gives up; 'full': all are there. */
const refusal = z.enum(['run', 'attempt', 'size', 'version', 'rank', 'full', 'ended']);

const message = z.discriminatedUnion('kind', [
  hello,
  // The port is the right one: rank 0 waits for the others.
  z.strictObject({ kind: z.literal('accepted') }),
  // The process has read that, and has not gone on to another port meanwhile.
  z.strictObject({ kind: z.literal('ready') }),
  z.strictObject({ kind: z.literal('refused'), because: refusal, attempt: z.number().int(), text }),
  z.strictObject({
    kind: z.literal('start'),
    hosts: z.array(z.string().max(255)),
    /** By rank, a number for each machine. */
    machines: z.array(rank),
    /** For processes on rank 0's machine: the address that other machines reach it by. */
    address: z.string().max(255),
  }),
  z.strictObject({ kind: z.literal('value'), call, method, value: z.unknown() }),
  z.strictObject({ kind: z.literal('result'), call, method, value: z.unknown() }),
  z.strictObject({ kind: z.literal('lost'), rank, how: loss, detail: text }),
  // 'because': it has failed, and with it the group.
  z.strictObject({ kind: z.literal('bye'), because: text.optional() }),
]);

export type Message = z.infer<typeof message>;
export type Hello = z.infer<typeof hello>;
export type Refusal = z.infer<typeof refusal>;
export type Loss = z.infer<typeof loss>;
export type Method = z.infer<typeof method>;
export type MessageOf<Kind extends Message['kind']> = Extract<Message, { kind: Kind }>;

/** @throws FrameError for anything else than a message */
export const readMessage = (json: string): Message =>
  parseJson(json, { schema: message, path: 'message', Failure: FrameError });
