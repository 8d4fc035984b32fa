/** Tables of options as the schema of what stands in a file. */
import { z } from 'zod';
import type { Option, OptionTable, OptionValue } from '../option.ts';

type Shape<Table> = { [K in keyof Table]: z.ZodType<OptionValue<Table[K]>> };

/** An object with the options of a table and no other keys; every value is what its option takes. */
export const optionSchema = <Table extends OptionTable>(table: Table) =>
  z.strictObject(
    Object.fromEntries(
      Object.entries(table).map(([name, option]) => [name, valueSchema(option)]),
    ) as unknown as Shape<Table>,
  );

const valueSchema = <Value>({ accepts, expected }: Option<Value>): z.ZodType<Value> =>
  z.custom<Value>(accepts, {
    error: ({ input }) => `expected ${expected}, received ${JSON.stringify(input)}`,
  });
