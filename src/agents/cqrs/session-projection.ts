import { isRecordedEvent, type RecordedEvent, type RecordedMessage } from '../../core/event.ts'
import { defineProjection, type Projected, type Projection } from '../../processing/projection.ts'
import type { SessionEvent, SessionEventData, SessionEventName } from '../session/schemas.ts'
import type { CallRole, SessionStatus, WorkItemStatus } from '../session/state.ts'

/*
 * Sessions as rows: one per session, from its events alone (P1).
 */

/** A work item in a session's row. */
export interface WorkItemRow {
  readonly title: string
  readonly status: WorkItemStatus
  readonly attempts: number
  readonly revisions: number
  readonly costUsd: number
  readonly qualityScore?: number
  readonly reason?: string
}

/** What a session cost so far: what calls reported, those of refused reports too. */
export interface CostRow {
  readonly totalUsd: number
  readonly byRole: Readonly<Record<CallRole, number>>
  readonly byWorkItem: Readonly<Record<string, number>>
  /** Calls that ended, by role. */
  readonly calls: Readonly<Record<CallRole, number>>
}

/** A session's row. */
export interface SessionRow {
  readonly status: Exclude<SessionStatus, 'unborn'>
  readonly task: string
  readonly phase: string
  readonly version: number
  readonly startedAt: string
  readonly lastEventAt: string
  readonly reason?: string
  /** Of a fork: whose history it goes on from. The row counts only what it did itself. */
  readonly forkedFrom?: { readonly sessionId: string; readonly version: number }
  readonly workItems: Readonly<Record<string, WorkItemRow>>
  readonly costs: CostRow
  /** Whose each call is. */
  readonly calls: Readonly<Record<string, { readonly role: CallRole; readonly workItemId?: string }>>
}

/** A session before its first event. */
export interface UnknownSession {
  readonly status: 'unborn'
}

/** A session in the projection; nothing is known of it before its first event. */
export type SessionProjectionRow = SessionRow | UnknownSession
type Of<Name extends SessionEventName> = Extract<SessionEvent, { readonly type: Name }>
type Handlers = { readonly [Name in SessionEventName]?: (row: SessionRow, data: SessionEventData[Name]) => SessionRow }

const NONE: Readonly<Record<CallRole, number>> = { manager: 0, worker: 0, gate: 0 }

function begun(event: Beginning): SessionRow {
  const forkedFrom = event.type === 'SessionForked' && { sessionId: event.data.from, version: event.data.atVersion }
  return {
    status: 'planning',
    task: event.data.task,
    phase: 'planning',
    version: 1,
    startedAt: event.timestamp,
    lastEventAt: event.timestamp,
    ...(forkedFrom && { forkedFrom }),
    workItems: {},
    costs: { totalUsd: 0, byRole: NONE, byWorkItem: {}, calls: NONE },
    calls: {},
  }
}

const itemStatus =
  (status: WorkItemStatus, more: (item: WorkItemRow) => Partial<WorkItemRow> = () => ({})) =>
  (row: SessionRow, { workItemId }: { readonly workItemId: string }) =>
    withItem(row, workItemId, (item) => ({ ...item, status, ...more(item) }))

const handlers: Handlers = {
  WorkflowStateUpdated: (row, { phase }) => ({ ...row, phase }),
  PlanProposed: (row) => ({ ...row, status: 'running' }),
  WorkItemCreated: (row, { workItemId, title }) => ({
    ...row,
    workItems: {
      ...row.workItems,
      [workItemId]: { title, status: 'planned', attempts: 0, revisions: 0, costUsd: 0 },
    },
  }),
  TaskAssigned: (row, { workItemId, attempt }) =>
    withItem(row, workItemId, (item) => ({ ...item, status: 'working', attempts: attempt })),
  AgentCallReserved: (row, { callId, role, workItemId }) => ({
    ...withReview(row, role, workItemId),
    calls: { ...row.calls, [callId]: { role, ...(workItemId !== undefined && { workItemId }) } },
  }),
  AgentCallCompleted: (row, { callId, costUsd }) => withCost(row, callId, costUsd),
  AgentCallFailed: (row, { callId, costUsd }) => withCost(row, callId, costUsd),
  AgentCallCancelled: (row, { callId, costUsd = 0 }) => withCost(row, callId, costUsd, 0),
  AgentCallReportRefused: (row, { callId, costUsd }) => withCost(row, callId, costUsd, 0),
  TaskCompleted: itemStatus('checking'),
  RevisionRequested: itemStatus('planned', ({ revisions }) => ({ revisions: revisions + 1 })),
  WorkItemAccepted: (row, { workItemId, qualityScore }) =>
    withItem(row, workItemId, (item) => ({
      ...item,
      status: 'accepted',
      ...(qualityScore !== undefined && { qualityScore }),
    })),
  WorkItemFailed: (row, { workItemId, reason }) =>
    withItem(row, workItemId, (item) => ({ ...item, status: 'failed', reason })),
  WorkItemBlocked: (row, { workItemId, blockedBy }) =>
    withItem(row, workItemId, (item) => ({ ...item, status: 'blocked', reason: `blocked by ${blockedBy.join(', ')}` })),
  SessionPaused: (row, { reason }) => ({ ...row, status: 'paused', reason }),
  SessionResumed: ({ reason: _, ...row }) => ({ ...row, status: hasItems(row) ? 'running' : 'planning' }),
  SessionCompleted: (row) => ({ ...row, status: 'completed' }),
  SessionFailed: (row, { reason }) => ({ ...row, status: 'failed', reason }),
  SessionCancelled: (row, { reason }) => ({ ...row, status: 'cancelled', reason }),
}

function hasItems({ workItems }: Pick<SessionRow, 'workItems'>): boolean {
  return Object.keys(workItems).length > 0
}

function withItem(row: SessionRow, id: string, change: (item: WorkItemRow) => WorkItemRow): SessionRow {
  const item = row.workItems[id]
  return item === undefined ? row : { ...row, workItems: { ...row.workItems, [id]: change(item) } }
}

/** A Manager's call for a work item is its review. */
function withReview(row: SessionRow, role: CallRole, workItemId: string | undefined): SessionRow {
  if (role !== 'manager' || workItemId === undefined) return row
  return withItem(row, workItemId, (item) => ({ ...item, status: 'reviewing' }))
}

function withCost(row: SessionRow, callId: string, costUsd: number, calls = 1): SessionRow {
  const { role = 'worker', workItemId } = row.calls[callId] ?? {}
  const { totalUsd, byRole, byWorkItem } = row.costs
  const costs: CostRow = {
    totalUsd: totalUsd + costUsd,
    byRole: { ...byRole, [role]: byRole[role] + costUsd },
    byWorkItem:
      workItemId === undefined ? byWorkItem : { ...byWorkItem, [workItemId]: (byWorkItem[workItemId] ?? 0) + costUsd },
    calls: { ...row.costs.calls, [role]: row.costs.calls[role] + calls },
  }
  if (workItemId === undefined) return { ...row, costs }
  return withItem({ ...row, costs }, workItemId, (item) => ({ ...item, costUsd: item.costUsd + costUsd }))
}

/** Rows of sessions; streams that are no sessions have none. Run it with `startProjection`, or `AgentQueryService`. */
export const sessionProjection: Projection<SessionProjectionRow, SessionEvent> = defineProjection<
  SessionProjectionRow,
  SessionEvent
>({
  name: 'agent.sessions',
  version: 1,
  initialState: () => ({ status: 'unborn' }),
  key: (event) => {
    const concerns = Object.hasOwn(handlers, event.type) || BEGINNINGS.has(event.type)
    return concerns ? streamOf(event)?.stream : undefined
  },
  evolve: (row, event) => {
    const version = streamOf(event)?.streamPosition ?? 0
    if (BEGINNINGS.has(event.type) && version === 1) return begun(event as Beginning)
    if (row.status === 'unborn') return undefined
    const handle = handlers[event.type] as ((row: SessionRow, data: unknown) => SessionRow) | undefined
    const changed = handle?.(row, event.data) ?? row
    return { ...changed, version, lastEventAt: event.timestamp }
  },
})

type Beginning = Projected<Of<'SessionCreated' | 'SessionForked'>>

const BEGINNINGS: ReadonlySet<string> = new Set(['SessionCreated', 'SessionForked'])

function streamOf(event: object): { readonly stream: string; readonly streamPosition: number } | undefined {
  return isRecordedEvent(event as RecordedMessage) ? (event as RecordedEvent) : undefined
}
