/*
 * The part of Standard Schema (standardschema.dev, version 1) the catalogue uses, so that an event's data can be
 * described with any library that speaks it.
 */

/** A schema of any library that follows the Standard Schema convention, version 1. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** What a schema answers: the value, or what is wrong with it. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

/** What a schema found wrong, and where. */
export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What a schema makes of a value that fits. */
export type OutputOf<S extends StandardSchema> = NonNullable<S['~standard']['types']>['output']
