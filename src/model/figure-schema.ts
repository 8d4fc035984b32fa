/** The schema of a network's figure as JSON, in model files whose network is not part of the package. */
import { z } from 'zod';
import { checkNetwork } from '../networks/check-network.ts';
import {
  type ConvMarks,
  type Layer,
  type Layers,
  meaningOf,
  type Network,
  windowSize,
} from '../networks/notation.ts';

/** Maximum nesting: files are untrusted, and checking recurses once per level. */
const maxDepth = 64;

const whole = z.int().min(1);
const fraction = z.number().min(0).max(1);

/** Text that a parser accepts without throwing. */
const parsedBy = <T extends string>(parse: (text: T) => unknown) =>
  z.string().superRefine((text, context) => {
    try {
      parse(text as T);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
    }
  });

const window = parsedBy(windowSize);
const marks = parsedBy<ConvMarks>(meaningOf).optional();
const follow = { norm: z.boolean().optional(), bias: z.boolean().optional() };

type Kind = Layer['kind'];
type SchemaOf<K extends Kind> = {
  readonly [P in keyof Required<Omit<Extract<Layer, { kind: K }>, 'kind'>>]: z.ZodType;
};

/** One schema per kind of layer; its type requires all of them. */
const fields: { readonly [K in Kind]: SchemaOf<K> } = {
  conv: { window, filters: whole, marks, groups: whole.optional(), ...follow },
  depthwise: { window, marks, ...follow },
  relu: {},
  maxPool: { window, marks },
  avgPool: { window, marks },
  filterConcat: { branches: z.lazy(() => branches) },
  residual: {
    scale: z.number(),
    relu: z.boolean(),
    shortcut: z.boolean().optional(),
    norm: z.boolean().optional(),
    branches: z.lazy(() => branches),
  },
  sum: { relu: z.boolean(), branches: z.lazy(() => branches) },
  sequence: { layers: z.lazy(() => z.array(layer)) },
  repeat: {
    count: whole,
    block: z.lazy(() => layer),
    first: z.lazy(() => layer.optional()),
    last: z.lazy(() => layer.optional()),
  },
  globalAvgPool: {},
  dropout: { keep: fraction },
  fullyConnected: {},
  embedding: { features: whole },
  dense: { units: whole },
};

const layer: z.ZodType = z.lazy(() => z.discriminatedUnion('kind', kinds as never));
const kinds = Object.entries(fields).map(([kind, shape]) =>
  z.strictObject({ kind: z.literal(kind), ...shape }),
);
const branches = z.array(z.array(layer)).min(1);
const layers = z.record(z.string(), layer) as unknown as z.ZodType<Layers>;

const network = z
  .strictObject({
    name: z.string(),
    about: z.string(),
    input: z.tuple([whole, whole, whole]),
    classes: whole,
    layers,
    samePadding: z.enum(['tensorflow', 'torch']).optional(),
    epsilon: z.number().positive().optional(),
    stages: z.strictObject({ A: z.string(), B: z.string(), C: z.string() }).partial().optional(),
    auxiliary: z.strictObject({ after: z.string(), layers }).optional(),
    featuresAt: z.record(z.string(), z.string()).optional(),
    published: z.unknown().optional(),
    printed: z
      .record(
        z.string(),
        z.strictObject({ figure: z.string(), departures: z.record(z.string(), z.string()) }).partial(),
      )
      .optional(),
  } satisfies Record<keyof Network, z.ZodType>)
  .superRefine((value, context) => {
    try {
      checkNetwork(value as Network);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
    }
  });

export const figureSchema = z
  .unknown()
  .refine((value) => depthWithin(value, maxDepth), `nested deeper than ${maxDepth}`)
  .pipe(network as unknown as z.ZodType<Network>);

function depthWithin(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((child) => depthWithin(child, levels - 1));
}
