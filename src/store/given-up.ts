import { DuologError } from '../core/errors.ts'

/*
 * What an append hears that was given up before it was begun. Nothing of it is in the log, now or later (P4).
 */

export function appendAborted(stream: string): DuologError {
  return new DuologError(
    'ABORTED',
    `The append to stream "${stream}" was given up by its signal before it was begun. Nothing was written.`,
  )
}

export function appendTimedOut(stream: string, cause: unknown): DuologError {
  return new DuologError(
    'APPEND_TIMEOUT',
    `The append to stream "${stream}" could not be begun in time${because(cause)}. Nothing was written; try again later.`,
    { cause, retry: { afterMs: 1000 } },
  )
}

export function because(cause: unknown): string {
  return cause instanceof Error ? ` (${cause.message})` : ''
}
