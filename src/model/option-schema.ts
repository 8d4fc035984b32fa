/** Tables of options as the schema of what stands in a file. */
import { z } from 'zod';
import type { Option, OptionTable, OptionValue, OptionValues, Variant, VariantTables } from '../option.ts';

type Shape<Table> = { [K in keyof Table]: z.ZodType<OptionValue<Table[K]>> };

const shapeOf = <Table extends OptionTable>(table: Table) =>
  Object.fromEntries(
    Object.entries(table).map(([name, option]) => [name, valueSchema(option)]),
  ) as unknown as Shape<Table>;

const valueSchema = <Value>({ accepts, expected }: Option<Value>): z.ZodType<Value> =>
  z.custom<Value>(accepts, {
    error: ({ input }) => `expected ${expected}, received ${JSON.stringify(input)}`,
  });

/** An object with every option of a table and no other keys; every value is what its option takes. */
export const optionSchema = <Table extends OptionTable>(table: Table) => z.strictObject(shapeOf(table));

/** The same with any of the options. JSON has no undefined, which zod's own type would allow. */
export const partialOptionSchema = <Table extends OptionTable>(table: Table) =>
  optionSchema(table).partial() as unknown as z.ZodType<Partial<OptionValues<Table>>>;

/** One of the kinds, with every option of it. */
export const variantSchema = <Tables extends VariantTables>(tables: Tables) =>
  z.discriminatedUnion(
    'kind',
    Object.entries(tables).map(([kind, table]) =>
      z.strictObject({ kind: z.literal(kind), ...shapeOf(table) }),
    ) as unknown as [z.ZodObject],
  ) as unknown as z.ZodType<Variant<Tables>>;
