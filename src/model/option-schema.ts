/** Turns tables of options into schemas of the JSON in files. */
import { z } from 'zod';
import type { Option, OptionTable, OptionValue, OptionValues, Variant, VariantTables } from '../option.ts';

type Shape<Table> = { [K in keyof Table]: z.ZodType<OptionValue<Table[K]>> };

const shapeOf = <Table extends OptionTable>(table: Table) =>
  Object.fromEntries(
    Object.entries(table).map(([name, option]) => [name, valueSchema(option)]),
  ) as unknown as Shape<Table>;

/** One value of an option. */
export const valueSchema = <Value>({ accepts, expected }: Option<Value>): z.ZodType<Value> =>
  z.custom<Value>(accepts, {
    error: ({ input }) => `expected ${expected}, received ${JSON.stringify(input)}`,
  });

/** An object with exactly the options of a table, each with a valid value. */
export const optionSchema = <Table extends OptionTable>(table: Table) => z.strictObject(shapeOf(table));

/** The same with any subset of the options. JSON has no undefined, which zod's type would allow. */
export const partialOptionSchema = <Table extends OptionTable>(table: Table) =>
  optionSchema(table).partial() as unknown as z.ZodType<Partial<OptionValues<Table>>>;

/** One of the kinds, with all its options. */
export const variantSchema = <Tables extends VariantTables>(tables: Tables) =>
  z.discriminatedUnion(
    'kind',
    Object.entries(tables).map(([kind, table]) =>
      z.strictObject({ kind: z.literal(kind), ...shapeOf(table) }),
    ) as unknown as [z.ZodObject],
  ) as unknown as z.ZodType<Variant<Tables>>;
