/*
 * The part of Standard Schema (standardschema.dev, version 1) the catalogue uses, so that an event's data can be
 * described with any library that speaks it.
 */

/** A schema of any library that follows the Standard Schema convention, version 1. */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** What the convention asks for. */
  readonly '~standard': {
    /** Of the convention. */
    readonly version: 1
    /** The library's name. */
    readonly vendor: string
    /** Checks a value; what answers with a promise cannot be used here. */
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    /** Only for types. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** What a schema answers: the value, or what is wrong with it. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

/** What a schema found wrong, and where. */
export interface StandardIssue {
  /** What is wrong, for people. */
  readonly message: string
  /** Where: names and indexes from the outside in. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What a schema makes of a value that fits. */
export type OutputOf<S extends StandardSchema> = NonNullable<S['~standard']['types']>['output']
