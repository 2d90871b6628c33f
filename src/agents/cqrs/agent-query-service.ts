import { DuologError } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { RunningProjection, WaitForOptions, WaitTarget } from '../../processing/projection-options.ts'
import { startProjection } from '../../processing/start-projection.ts'
import type { ViewStore } from '../../processing/view-store.ts'
import type { EventStore } from '../../store/event-store.ts'
import {
  aFunction,
  aLogger,
  aName,
  aNumber,
  anObject,
  aSignal,
  aStore,
  aText,
  checkArgument,
  checkOptions,
  integerFrom,
  optional,
  type Shape,
} from '../check-options.ts'
import { readSession, sessionNotFound } from '../read-sessions.ts'
import type { SessionEvent } from '../session/schemas.ts'
import { type CostRow, type SessionRow, sessionProjection, type WorkItemRow } from './session-projection.ts'

/*
 * What sessions are asked by those who only look: from a view, so that a thousand askers cost the log nothing.
 */

/** What {@link AgentQueryService} takes. */
export interface AgentQueryServiceOptions {
  /** Any backing; it is yours to close, after the service. */
  readonly store: EventStore
  /** Where the rows are kept: `sqliteViews(path)` for many sessions. Default: in memory. */
  readonly views?: ViewStore
  readonly onError?: (error: unknown) => void
  readonly logger?: Logger
}

/** Waits until that is applied before it answers, so that who commands reads what came of it. */
export interface QueryOptions extends WaitForOptions {
  /** A command's answer, say. */
  readonly after?: WaitTarget
}

/** A session in a list. */
export interface SessionListItem
  extends Pick<SessionRow, 'status' | 'task' | 'phase' | 'version' | 'startedAt' | 'lastEventAt' | 'reason'> {
  readonly sessionId: string
  readonly workItems: number
  readonly accepted: number
  readonly totalUsd: number
}

/** Which sessions to list. */
export interface ListSessionsOptions extends QueryOptions {
  readonly status?: SessionRow['status']
  /** Default 100, the newest first. */
  readonly limit?: number
}

const OPTIONS: Shape<AgentQueryServiceOptions> = {
  store: aStore,
  views: optional(anObject),
  onError: optional(aFunction),
  logger: optional(aLogger),
}
const QUERY: Shape<QueryOptions> = {
  after: optional(anObject),
  timeoutMs: optional(aNumber),
  signal: optional(aSignal),
}
const LIST: Shape<ListSessionsOptions> = { ...QUERY, status: optional(aText), limit: optional(integerFrom(0)) }

/** Answers queries about sessions: work items, lists, costs. */
export class AgentQueryService {
  /** Resolves when it follows the log. */
  readonly ready: Promise<void>
  readonly #store: EventStore
  readonly #view: RunningProjection<SessionRow>

  /** @throws INVALID_ARGUMENT naming the field */
  constructor(options: AgentQueryServiceOptions) {
    checkOptions('options of AgentQueryService', options, OPTIONS)
    const { store, views, onError, logger } = options
    this.#store = store
    const view = startProjection({
      store: store as unknown as EventStore<SessionEvent>,
      projection: sessionProjection,
      ...(views && { views }),
      ...(onError && { onError }),
      ...(logger && { logger }),
    })
    // Rows of streams that are no sessions are never stored.
    this.#view = view as RunningProjection<SessionRow>
    this.ready = view.ready
  }

  /** @throws SESSION_NOT_FOUND · INVALID_ARGUMENT when the session has no such work item */
  async getWorkItemStatus(sessionId: string, workItemId: string, options: QueryOptions = {}): Promise<WorkItemRow> {
    const row = await this.#row(sessionId, options)
    const item = row.workItems[workItemId] ?? (await this.#inherited(row, sessionId, workItemId))
    if (item !== undefined) return item
    const known = Object.keys(row.workItems).join(', ')
    throw new DuologError(
      'INVALID_ARGUMENT',
      `workItemId: session "${sessionId}" has no work item "${workItemId}". It has: ${known === '' ? 'none' : known}.`,
    )
  }

  /** The session's row: status, work items, costs. @throws SESSION_NOT_FOUND */
  getSession(sessionId: string, options: QueryOptions = {}): Promise<SessionRow> {
    return this.#row(sessionId, options)
  }

  /** The sessions of the log, the one touched last first. */
  async listSessions(options: ListSessionsOptions = {}): Promise<readonly SessionListItem[]> {
    checkOptions('options of listSessions', options, LIST)
    const { status, limit = 100, after, ...wait } = options
    if (after !== undefined) await this.#view.waitFor(after, wait)
    const rows = await this.#allRows()
    return rows
      .filter(({ row }) => status === undefined || row.status === status)
      .sort((a, b) => b.row.lastEventAt.localeCompare(a.row.lastEventAt))
      .slice(0, limit)
      .map(({ key, row }) => listItem(key, row))
  }

  /** What one session cost. @throws SESSION_NOT_FOUND */
  async getCosts(sessionId: string, options: QueryOptions = {}): Promise<CostRow> {
    return (await this.#row(sessionId, options)).costs
  }

  /** Stops following the log. Idempotent. */
  stop(): Promise<void> {
    return this.#view.stop()
  }

  async #row(sessionId: string, options: QueryOptions): Promise<SessionRow> {
    checkArgument('sessionId', sessionId, aName)
    checkOptions('options of a query', options, QUERY)
    const row = await this.#view.get(sessionId, options)
    if (row === undefined) throw sessionNotFound(sessionId)
    return row
  }

  async #allRows() {
    const rows: { readonly key: string; readonly row: SessionRow }[] = []
    for (let page = await this.#view.list(); page.length > 0; ) {
      rows.push(...page)
      page = await this.#view.list({ after: page[page.length - 1]!.key })
    }
    return rows
  }

  /** A fork's kept items are in the history it came from. */
  async #inherited(row: SessionRow, sessionId: string, workItemId: string): Promise<WorkItemRow | undefined> {
    if (row.forkedFrom === undefined) return undefined
    const { workItems } = await readSession(this.#store, sessionId)
    const found = workItems.find(({ id }) => id === workItemId)
    if (found === undefined) return undefined
    const { id: _, priority: __, dependencies: ___, status, ...item } = found
    return { ...item, status: status as WorkItemRow['status'] }
  }
}

function listItem(sessionId: string, row: SessionRow): SessionListItem {
  const { status, task, phase, version, startedAt, lastEventAt, reason, costs } = row
  const items = Object.values(row.workItems)
  const accepted = items.filter((item) => item.status === 'accepted').length
  const counts = { workItems: items.length, accepted, totalUsd: costs.totalUsd }
  return { sessionId, status, task, phase, version, startedAt, lastEventAt, ...(reason && { reason }), ...counts }
}
