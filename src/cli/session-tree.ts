import { evolveSession, initialSessionState } from '../agents/session/evolve.ts'
import { notBeforeOf } from '../agents/session/parking.ts'
import type { SessionEvent } from '../agents/session/schemas.ts'
import type { CallState, SessionState } from '../agents/session/state.ts'
import { sessionView, type WorkItemView } from '../agents/session/view.ts'
import type { RecordedEvent } from '../core/event.ts'
import type { TreeItem, TreeView } from './render/tree.ts'

/** Folds a session's events into what the live tree shows. Times are when the events were seen here, not their own. */
export class SessionTree {
  readonly #sessionId: string
  readonly #startedAtMs: number
  readonly #claimedAtMs = new Map<string, number>()
  readonly #notes = new Map<string, string>()
  #state: SessionState = initialSessionState()
  #version = 0

  constructor(sessionId: string, startedAtMs: number) {
    this.#sessionId = sessionId
    this.#startedAtMs = startedAtMs
  }

  /** What a fork goes on from; before its first event. */
  beginWith(state: SessionState): void {
    this.#state = state
  }

  /** Takes in the next event of the session. */
  see(event: RecordedEvent<SessionEvent>, nowMs: number): void {
    this.#state = evolveSession(this.#state, event)
    this.#version = event.streamPosition
    if (event.type === 'AgentCallClaimed') this.#claimedAtMs.set(event.data.callId, nowMs)
    if (event.type === 'RevisionRequested') this.#note(event.data.workItemId, event.data.feedback.join('; '))
    if (event.type === 'TaskCompleted') this.#notes.delete(event.data.workItemId)
  }

  /** What a running call says of itself. */
  progress(callId: string, message: string): void {
    const workItemId = this.#state.calls.get(callId)?.workItemId
    if (workItemId !== undefined) this.#note(workItemId, message)
  }

  /** What there is to show now. */
  view(nowMs: number): TreeView {
    const { task, status, totals, workItems } = sessionView(this.#sessionId, this.#state, this.#version)
    const items = workItems.map((item) => this.#item(item, nowMs))
    const elapsedMs = nowMs - this.#startedAtMs
    return { sessionId: this.#sessionId, task, status, elapsedMs, costUsd: totals.costUsd, items }
  }

  #note(workItemId: string, text: string): void {
    this.#notes.set(workItemId, text)
  }

  #item(item: WorkItemView, nowMs: number): TreeItem {
    const { id, title, status, attempts, revisions, costUsd, dependencies } = item
    const calls = [...this.#state.calls.values()].filter((call) => call.workItemId === id)
    const running = calls.filter((call) => call.status === 'claimed').map((call) => this.#describe(call))
    const note = status === 'failed' ? item.reason : this.#notes.get(id)
    return {
      ...{ id, title, status, attempts, revisions, costUsd, dependsOn: dependencies },
      elapsedMs: calls.reduce((sum, call) => sum + this.#elapsedMs(call, nowMs), 0),
      ...(running.length > 0 && { running: running.join(', ') }),
      ...(note !== undefined && { lastNote: note }),
    }
  }

  #describe(call: CallState): string {
    const until = notBeforeOf(this.#state, call)
    const waits = until !== undefined && Date.parse(until) > Date.now()
    return waits ? `${describeCall(call)}, waits until ${until.slice(11, 19)} (rate limit)` : describeCall(call)
  }

  #elapsedMs({ callId, status, durationMs = 0 }: CallState, nowMs: number): number {
    return status === 'claimed' ? nowMs - (this.#claimedAtMs.get(callId) ?? nowMs) : durationMs
  }
}

function describeCall({ role, purpose, gateId, attempt }: CallState): string {
  return role === 'gate' ? `gate ${gateId}` : `${role}: ${purpose}, attempt ${attempt}`
}
