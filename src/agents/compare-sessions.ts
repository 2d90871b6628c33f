import type { EventStore } from '../store/event-store.ts'
import { descendsFrom } from './fork-session.ts'
import { readSession } from './read-sessions.ts'
import type { SessionView, UsageView, WorkItemView } from './session/view.ts'

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

/** What differs in the use of a model, b minus a. */
export interface ModelDifference {
  readonly calls: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly costUsd: number
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
    /** Of the models that calls reported in either session. */
    readonly models?: { readonly [model: string]: ModelDifference }
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
    costUsd: usdBetween(a.costUsd, b.costUsd),
    workerCalls: b.workerCalls - a.workerCalls,
    managerCalls: b.managerCalls - a.managerCalls,
    revisions: b.revisions - a.revisions,
    accepted: b.accepted - a.accepted,
    ...modelDifferences(a.usage?.models, b.usage?.models),
  }
}

function usdBetween(a: number, b: number): number {
  return (Math.round(b * 1e6) - Math.round(a * 1e6)) / 1e6
}

const UNUSED = { calls: 0, inputTokens: 0, outputTokens: 0 }

function modelDifferences(a: UsageView['models'] = {}, b: UsageView['models'] = {}) {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])]
  const entries = names.map((name): [string, ModelDifference] => [name, betweenModels(a[name], b[name])])
  return entries.length === 0 ? {} : { models: Object.fromEntries(entries) }
}

type OfModel = NonNullable<UsageView['models']>[string]

function betweenModels(a: OfModel = UNUSED, b: OfModel = UNUSED): ModelDifference {
  return {
    calls: b.calls - a.calls,
    inputTokens: b.inputTokens - a.inputTokens,
    outputTokens: b.outputTokens - a.outputTokens,
    costUsd: usdBetween(a.costUsd ?? 0, b.costUsd ?? 0),
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
