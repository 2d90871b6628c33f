/*
 * What a session killed again and again leaves behind, as four witnesses tell it. They do not know of each other: the
 * log is read with a plain reader of its own, never through the store that wrote it.
 */

/** One event as a dumb reader of the log finds it. */
export interface RawEvent {
  readonly stream: string
  readonly version: number
  readonly eventId: string
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
  readonly timestamp: string
}

/** A task message: "this call is reserved". */
export interface RawTask {
  readonly sessionId: string
  readonly callId: string
  readonly topic: string
}

export interface RawLog {
  /** In the log's order. */
  readonly events: readonly RawEvent[]
  readonly tasks: readonly RawTask[]
}

/** An append as the process heard of it: these types stand at these versions, or the log lost them. */
export interface AcknowledgedAppend {
  readonly stream: string
  readonly firstVersion: number
  readonly types: readonly string[]
  readonly pid: number
}

/** An execution that really began or ended: the executor's own journal, on disk before it works. */
export interface JournalLine {
  readonly sessionId: string
  readonly callId: string
  readonly purpose: string
  readonly workItemId?: string
  readonly attempt: number
  readonly phase: 'start' | 'end'
  readonly outcome?: 'done' | 'failed'
  readonly pid: number
}

export interface Kill {
  readonly pid: number
  /** A named point, or RANDOM_MOMENT. */
  readonly by: string
  readonly role: string
  readonly atMs: number
}

export const RANDOM_MOMENT = 'random moment'

/** How the same script ends when nobody disturbs it. */
export interface Undisturbed {
  /** Work item id → how often it was revised. Every one of them is accepted. */
  readonly revisions: Readonly<Record<string, number>>
}

export interface Evidence {
  readonly sessionId: string
  readonly undisturbed: Undisturbed
  readonly log: RawLog
  readonly appends: readonly AcknowledgedAppend[]
  readonly journal: readonly JournalLine[]
  readonly kills: readonly Kill[]
}
