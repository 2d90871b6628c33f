import type { ExpectedStreamVersion } from './versions.ts'

/** What goes wrong, by name. Match on `code`, never on `instanceof`: a program can hold two copies of a package. */
export type DuologErrorCode =
  | 'EXPECTED_VERSION_CONFLICT'
  | 'INVALID_ARGUMENT'
  | 'INVALID_EVENT'
  | 'UNKNOWN_EVENT_TYPE'
  | 'EVENT_VERSION_NEWER'
  | 'EVENT_ID_REUSED'
  | 'INVALID_URL'
  | 'UNKNOWN_URL_SCHEME'
  | 'NOT_A_LOG'
  | 'LOG_CORRUPT'
  | 'LOG_NEWER'
  | 'LOG_FULL'
  | 'LOG_BUSY'
  | 'LOG_UNAVAILABLE'
  | 'REPLICA_UNAVAILABLE'
  | 'TOPIC_MISSING'
  | 'TOPIC_UNSUITABLE'
  | 'BROKER_UNREACHABLE'
  | 'BROKER_REFUSED'
  | 'CHECKPOINT_FENCED'
  | 'CHECKPOINT_AHEAD'
  | 'EVENT_LOOP_BLOCKED'
  | 'HANDLER_SLOW'
  | 'RECORD_UNREADABLE'
  | 'EFFECT_IN_DOUBT'
  | 'NOT_AN_INBOX'
  | 'BLOB_MISSING'
  | 'BLOB_CORRUPT'
  | 'PROJECTION_FAILED'
  | 'NOT_A_VIEW_STORE'
  | 'DEAD_LETTER_NOT_FOUND'
  | 'PROCESS_INVALID'
  | 'PROCESS_FAILED'
  | 'APPEND_TIMEOUT'
  | 'APPEND_QUEUE_FULL'
  | 'STORE_CLOSED'
  | 'TIMEOUT'
  | 'ABORTED'
  | 'DEPENDENCY_MISSING'
  | 'SESSION_NOT_FOUND'
  | 'SESSION_EXISTS'
  | 'SESSION_RUNNING_ELSEWHERE'
  | 'SESSION_ENDED'
  | 'SESSION_FAILED'
  | 'CALL_NOT_FOUND'
  | 'APPROVAL_NOT_FOUND'
  | 'CLAIM_LOST'
  | 'EXECUTOR_INVALID'
  | 'EXECUTOR_FAILED'
  | 'SCRIPT_INVALID'
  | 'CASSETTE_INVALID'
  | 'CASSETTE_MISS'
  | 'WORKDIR_INVALID'

/** What a caller may do about it: give up, try at once, or try after a while. */
export type RetryAdvice = 'never' | 'now' | { readonly afterMs: number }

/** What a {@link DuologError} may carry besides its code and message. */
export interface DuologErrorOptions {
  /** Default `never`. */
  readonly retry?: RetryAdvice
  /** What it follows from. */
  readonly cause?: unknown
}

/** The one base of every error this package throws by design. The message says what happened and what to do about it. */
export class DuologError extends Error {
  /** Of the class; tell errors apart by `code`. */
  override readonly name: string = 'DuologError'
  /** What happened; the same in every version of the package. */
  readonly code: DuologErrorCode
  /** What a caller may do about it. */
  readonly retry: RetryAdvice

  constructor(code: DuologErrorCode, message: string, options: DuologErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retry = options.retry ?? 'never'
  }
}

/** Someone else appended first, or the stream is not as expected. `current` is its true version at the decision (0: no such stream). */
export class ExpectedVersionConflictError extends DuologError {
  /** Of the class; tell errors apart by `code`. */
  override readonly name = 'ExpectedVersionConflictError'
  /** The stream that was to be appended to. */
  readonly stream: string
  /** What the append expected. */
  readonly expected: ExpectedStreamVersion
  /** The stream's true version at the decision; 0: there is no such stream. */
  readonly current: number

  constructor(stream: string, expected: ExpectedStreamVersion, current: number) {
    super(
      'EXPECTED_VERSION_CONFLICT',
      `Stream "${stream}" is at version ${current}, expected ${expected}. Load it again from there, decide again, append again.`,
      { retry: 'now' },
    )
    this.stream = stream
    this.expected = expected
    this.current = current
  }
}

/** True when `error` is one of ours, and, with `code`, that one. Works across copies of the package. */
export function isDuologError(error: unknown, code?: DuologErrorCode): error is DuologError {
  if (!(error instanceof Error) || !('code' in error) || !('retry' in error)) return false
  return code === undefined || error.code === code
}

/** True when `error` is an {@link ExpectedVersionConflictError}. Works across copies of the package. */
export function isExpectedVersionConflict(error: unknown): error is ExpectedVersionConflictError {
  return isDuologError(error, 'EXPECTED_VERSION_CONFLICT')
}
