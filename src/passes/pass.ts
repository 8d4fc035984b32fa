/** Passes as data: a list of named rewritings, of graphs or of programs, each of which can be switched off. */

export interface Pass<T, Context = unknown> {
  readonly name: string;
  readonly run: (subject: T, context: Context) => T;
  /** Whether it runs when nobody chooses. Default: it does. */
  readonly when?: (subject: T, context: Context) => boolean;
}

/** Of the passes with these names, which ones run. */
export type Choices<Name extends string = string> = { readonly [name in Name]?: boolean | undefined };

/** Runs the passes in the order of the list. */
export function runPasses<T, Context>(
  subject: T,
  passes: readonly Pass<T, Context>[],
  { context, choices = {} }: { context: Context; choices?: Choices | undefined },
): T {
  return passes.reduce(
    (before, { name, run, when = () => true }) =>
      (choices[name] ?? when(before, context)) ? run(before, context) : before,
    subject,
  );
}
