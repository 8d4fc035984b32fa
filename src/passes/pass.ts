/** Passes as data: named rewritings of graphs or programs, each of which can be switched off. */

export interface Pass<T, Context = unknown> {
  readonly name: string;
  readonly run: (subject: T, context: Context) => T;
  /** Whether the pass runs where `choices` does not say. Default: yes. */
  readonly when?: (subject: T, context: Context) => boolean;
}

/** Switches passes on or off by name. */
export type Choices<Name extends string = string> = { readonly [name in Name]?: boolean | undefined };

/** Runs the passes in the order of the list. */
export function runPasses<T, Context>(
  subject: T,
  passes: readonly Pass<T, Context>[],
  { context, choices = {} }: { context: Context; choices?: Choices | undefined },
): T {
  return passes.reduce(
    (current, { name, run, when = () => true }) =>
      (choices[name] ?? when(current, context)) ? run(current, context) : current,
    subject,
  );
}
