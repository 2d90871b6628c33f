import { evolveSession, initialSessionState } from '../agents/session/evolve.ts'
import type { SessionEvent } from '../agents/session/schemas.ts'
import {
  type CallState,
  isUnresolved,
  openCalls,
  pendingApprovals,
  type SessionState,
  type WorkItemState,
} from '../agents/session/state.ts'
import { type SessionView, sessionView, type WorkItemView } from '../agents/session/view.ts'
import type { RecordedEvent } from '../core/event.ts'
import { formatDuration } from '../core/format.ts'
import { short } from './event-row.ts'

/** A session as the page draws it. Plain JSON and plain text. */
export interface SessionPicture
  extends Pick<SessionView, 'sessionId' | 'status' | 'version' | 'task' | 'phase' | 'reason' | 'forkedFrom'> {
  /** By this machine's clock, when it was drawn: what still runs has lasted until then. */
  readonly nowMs: number
  readonly startedMs: number
  readonly lastEventMs: number
  readonly totals: Pick<SessionView['totals'], 'workItems' | 'accepted' | 'revisions' | 'costUsd'>
  readonly maxUsd?: number
  /** What a person has to do, and the command that does it. */
  readonly waitsFor: readonly { readonly text: string; readonly command: string }[]
  readonly items: readonly PictureItem[]
  /** The last ones; in the order of their reservation. */
  readonly calls: readonly PictureCall[]
  readonly callCount: number
}

export interface PictureItem
  extends Pick<WorkItemView, 'id' | 'title' | 'status' | 'attempts' | 'revisions' | 'costUsd' | 'dependencies'> {
  readonly qualityScore?: number
  readonly gates: readonly { readonly id: string; readonly passed: boolean; readonly text: string }[]
  /** Why it failed, or what was last asked of it. */
  readonly note?: string
}

/** A bar on the time line. */
export interface PictureCall extends Pick<CallState, 'callId' | 'role' | 'purpose' | 'attempt' | 'status' | 'costUsd'> {
  /** None: the session itself (its plan, its own gates). */
  readonly workItemId?: string
  readonly gateId?: string
  /** By the clock of whoever appended; none while it waits to be claimed. */
  readonly startMs?: number
  readonly endMs?: number
  readonly error?: string
  /** Of a gate or a review: it was not content; of a plan: it was unusable. */
  readonly rejects?: true
}

const MAX_CALLS = 400
const MAX_NOTE = 400

const ENDS: ReadonlySet<string> = new Set([
  'AgentCallCompleted',
  'AgentCallFailed',
  'AgentCallCancelled',
  'AgentCallInDoubt',
])

/** Folds a session into its picture: the session's own fold, and when its calls began and ended. */
export class PictureFold {
  readonly #sessionId: string
  readonly #begun = new Map<string, number>()
  readonly #ended = new Map<string, number>()
  readonly #rejecting = new Set<string>()
  #state: SessionState = initialSessionState()
  #version = 0
  #startedMs = 0
  #lastEventMs = 0

  constructor(sessionId: string) {
    this.#sessionId = sessionId
  }

  /** What a fork goes on from; before its first event. */
  beginWith(state: SessionState): void {
    this.#state = state
  }

  see(event: RecordedEvent<SessionEvent>): void {
    // A clock that was put back, or another machine's, makes nothing end before it began.
    const atMs = Math.max(Date.parse(event.timestamp), this.#lastEventMs)
    this.#state = evolveSession(this.#state, event)
    this.#version = event.streamPosition
    this.#lastEventMs = atMs
    if (event.streamPosition === 1) this.#startedMs = atMs
    if (event.type === 'AgentCallClaimed') this.#begun.set(event.data.callId, atMs)
    const rejecting = rejectingCall(event)
    if (rejecting !== undefined) this.#rejecting.add(rejecting)
    if (ENDS.has(event.type)) this.#ended.set((event.data as { callId: string }).callId, atMs)
  }

  picture(nowMs: number): SessionPicture {
    const view = sessionView(this.#sessionId, this.#state, this.#version)
    const { sessionId, status, version, phase, reason, forkedFrom, totals, budget } = view
    const own = [...this.#state.calls.values()].filter((call) => !call.inherited)
    return {
      ...{
        sessionId,
        status,
        version,
        phase,
        nowMs: Math.max(nowMs, this.#lastEventMs),
        startedMs: this.#startedMs,
        lastEventMs: this.#lastEventMs,
      },
      task: short(view.task, MAX_NOTE),
      ...(reason && { reason: short(reason, MAX_NOTE) }),
      ...(forkedFrom && { forkedFrom }),
      totals,
      ...(budget?.maxUsd !== undefined && { maxUsd: budget.maxUsd }),
      waitsFor: waitsFor(sessionId, this.#state),
      items: view.workItems.map((item) => pictureItem(item, this.#state.workItems.get(item.id))),
      calls: own.slice(-MAX_CALLS).map((call) => this.#call(call)),
      callCount: own.length,
    }
  }

  #call({ callId, role, purpose, attempt, status, costUsd, workItemId, gateId, error }: CallState): PictureCall {
    const startMs = this.#begun.get(callId)
    const endMs = this.#ended.get(callId)
    return {
      ...{ callId, role, purpose, attempt, status, costUsd },
      ...(workItemId !== undefined && { workItemId }),
      ...(gateId !== undefined && { gateId }),
      ...(startMs !== undefined && { startMs }),
      ...(endMs !== undefined && { endMs }),
      ...(error && { error: short(error.message, MAX_NOTE) }),
      ...(this.#rejecting.has(callId) && { rejects: true }),
    }
  }
}

function rejectingCall({ type, data }: SessionEvent): string | undefined {
  if (type === 'QualityGateResult') return data.passed ? undefined : data.callId
  if (type === 'TaskReviewed') return data.approved ? undefined : data.callId
  return type === 'PlanRejected' || type === 'ReviewRejected' ? data.callId : undefined
}

function pictureItem(item: WorkItemView, state: WorkItemState | undefined): PictureItem {
  const { id, title, status, attempts, revisions, costUsd, dependencies, gates, qualityScore, reason } = item
  const asked = status === 'accepted' ? '' : (state?.feedback ?? []).join('; ')
  const note = reason ?? asked
  return {
    ...{ id, title: short(title, MAX_NOTE), status, attempts, revisions, costUsd, dependencies },
    ...(qualityScore !== undefined && { qualityScore }),
    gates: gates.map(({ gateId, passed, explanation }) => ({ id: gateId, passed, text: short(explanation, MAX_NOTE) })),
    ...(note !== '' && { note: short(note, MAX_NOTE) }),
  }
}

function waitsFor(sessionId: string, state: SessionState): SessionPicture['waitsFor'] {
  const approvals = pendingApprovals(state).map(({ approvalId, input }) => ({
    text: `${approvalId}: ${short(input, MAX_NOTE)}`,
    command: `duolog approve ${sessionId} ${approvalId}`,
  }))
  const doubts = openCalls(state, isUnresolved).map(({ callId }) => ({
    text: `Nobody knows the outcome of ${callId}: its owner died.`,
    command: `duolog resolve ${sessionId} ${callId} --retry`,
  }))
  return [...approvals, ...doubts, ...money(sessionId, state)]
}

function money(sessionId: string, { budgetExceeded, settings }: SessionState): SessionPicture['waitsFor'] {
  if (budgetExceeded === undefined) return []
  const { limit, max, needed, scope = 'session' } = budgetExceeded
  const raise = scope === 'pool' ? `pool raise ${settings.budget?.pool}` : `raise ${sessionId}`
  const role = scope === 'manager' || scope === 'worker' ? ` --role ${scope}` : ''
  return [
    {
      text:
        limit === 'wall-clock'
          ? `The time of the ${scope} is up: ${formatDuration(max)}.`
          : `The next call needs ${needed} (${limit}); the limit is ${max}.`,
      command: `duolog budget ${raise}${role}`,
    },
  ]
}
