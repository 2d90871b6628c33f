import type { EventStore } from '../store/event-store.ts'
import { descendsFrom } from './fork-session.ts'
import { readSession } from './read-sessions.ts'
import type { SessionView, WorkItemView } from './session/view.ts'

/** One session's side of a comparison. */
export interface ComparedSession
  extends Pick<SessionView, 'sessionId' | 'status' | 'version' | 'totals' | 'forkedFrom' | 'reason'> {}

/** What became of a work item; nothing where a session does not have it. */
export type ComparedOutcome = Pick<WorkItemView, 'status' | 'attempts' | 'revisions' | 'costUsd' | 'qualityScore'>

/** A work item that ended differently, or that only one of the two has. */
export interface ComparedItem {
  readonly id: string
  readonly a?: ComparedOutcome
  readonly b?: ComparedOutcome
}

/** Two sessions beside each other: outcome, calls, cost. Totals of a fork count only what it did itself. */
export interface SessionComparison {
  readonly a: ComparedSession
  readonly b: ComparedSession
  /** Where one is a fork of the other: the history both share. */
  readonly common?: { readonly sessionId: string; readonly version: number }
  /** What differs, b minus a. */
  readonly difference: {
    readonly costUsd: number
    readonly workerCalls: number
    readonly managerCalls: number
    readonly revisions: number
    readonly accepted: number
  }
  readonly workItems: readonly ComparedItem[]
}

/**
 * Compares two sessions of a log as they are now.
 * @throws SESSION_NOT_FOUND
 */
export async function compareSessions(store: EventStore, a: string, b: string): Promise<SessionComparison> {
  const [left, right] = await Promise.all([readSession(store, a), readSession(store, b)])
  const common = (await sharedHistory(store, a, b)) ?? (await sharedHistory(store, b, a))
  return {
    a: compared(left),
    b: compared(right),
    ...(common && { common }),
    difference: differenceOf(left, right),
    workItems: differingItems(left, right),
  }
}

async function sharedHistory(store: EventStore, child: string, ancestor: string) {
  const version = await descendsFrom(store, child, ancestor)
  return version === undefined ? undefined : { sessionId: ancestor, version }
}

function compared({ sessionId, status, version, totals, forkedFrom, reason }: SessionView): ComparedSession {
  return { sessionId, status, version, totals, ...(forkedFrom && { forkedFrom }), ...(reason && { reason }) }
}

function differenceOf({ totals: a }: SessionView, { totals: b }: SessionView): SessionComparison['difference'] {
  return {
    costUsd: (Math.round(b.costUsd * 1e6) - Math.round(a.costUsd * 1e6)) / 1e6,
    workerCalls: b.workerCalls - a.workerCalls,
    managerCalls: b.managerCalls - a.managerCalls,
    revisions: b.revisions - a.revisions,
    accepted: b.accepted - a.accepted,
  }
}

function differingItems(a: SessionView, b: SessionView): ComparedItem[] {
  const ids = new Set([...a.workItems, ...b.workItems].map(({ id }) => id))
  return [...ids]
    .map((id): ComparedItem => ({ id, ...side('a', a, id), ...side('b', b, id) }))
    .filter((item) => JSON.stringify(item.a) !== JSON.stringify(item.b))
}

function side<Side extends 'a' | 'b'>(name: Side, view: SessionView, id: string): { [_ in Side]?: ComparedOutcome } {
  const item = view.workItems.find((candidate) => candidate.id === id)
  if (item === undefined) return {}
  const { status, attempts, revisions, costUsd, qualityScore } = item
  const outcome = { status, attempts, revisions, costUsd, ...(qualityScore !== undefined && { qualityScore }) }
  return { [name]: outcome } as { [_ in Side]?: ComparedOutcome }
}
