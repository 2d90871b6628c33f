import { evolveSession, initialSessionState } from '../agents/session/evolve.ts'
import type { SessionEvent, SessionEventData } from '../agents/session/schemas.ts'
import type { SessionState } from '../agents/session/state.ts'
import type { RecordedEvent } from '../core/event.ts'
import type { ItemDates, Told } from './host-scene.ts'
import { tellingsOf } from './host-tellings.ts'
import type { AgentMessage, WorkflowPhase } from './host-types.ts'

/** What one session looks like to the host: a fold of its events, and nothing else. */
export class HostPicture {
  readonly sessionId: string
  readonly history: AgentMessage[] = []
  readonly artifacts = new Set<string>()
  readonly verdicts = { passed: 0, failed: 0 }
  /** Of the newest review of each item. */
  readonly scores = new Map<string, number>()
  /** When an agent was last heard of. */
  readonly activity: { manager?: Date; worker?: Date } = {}
  state: SessionState
  /** As it was last told. */
  phase: WorkflowPhase
  startedAt: Date | undefined
  lastEventAt: Date | undefined
  handoffs = 0
  lastHandoffAt: Date | undefined
  version = 0
  readonly #dates = new Map<string, ItemDates>()
  #lastPlanned: string | undefined

  /** `before`: what the session's first event changes; of a fork, where it goes on from. */
  constructor(sessionId: string, before: SessionState = initialSessionState()) {
    this.sessionId = sessionId
    this.state = before
    this.phase = before.phase
  }

  /** Takes an event in; says what the host's listeners hear of it. */
  see(event: RecordedEvent<SessionEvent>): Told[] {
    const at = new Date(event.timestamp)
    this.state = evolveSession(this.state, event)
    this.version = event.streamPosition
    this.startedAt ??= at
    this.lastEventAt = at
    this.#date(event, at)
    this.#count(event, at)
    const told = tellingsOf({
      sessionId: this.sessionId,
      event,
      state: this.state,
      handoffs: this.handoffs,
      lastPlanned: this.#lastPlanned,
      datesOf: (id) => this.datesOf(id),
    })
    for (const each of told) this.#keep(each)
    return told
  }

  #keep({ name, payload }: Told): void {
    if (name === 'message_sent') this.history.push(payload)
    else if (name === 'coordination_event' && payload.type === 'WORKFLOW_TRANSITION') {
      this.phase = payload.data.newPhase as WorkflowPhase
    }
  }

  datesOf(workItemId: string): ItemDates {
    const unknown = this.startedAt ?? new Date(0)
    return this.#dates.get(workItemId) ?? { createdAt: unknown, updatedAt: unknown }
  }

  #date({ data }: SessionEvent, at: Date): void {
    if (!('workItemId' in data) || data.workItemId === undefined) return
    const createdAt = this.#dates.get(data.workItemId)?.createdAt ?? at
    this.#dates.set(data.workItemId, { createdAt, updatedAt: at })
  }

  #count(event: SessionEvent, at: Date): void {
    switch (event.type) {
      case 'PlanProposed':
        this.#lastPlanned = event.data.workItemIds.at(-1)
        break
      case 'AgentCallClaimed':
      case 'AgentCallFailed':
        this.#active(event.data.callId, at)
        break
      case 'AgentCallCompleted':
        this.#active(event.data.callId, at)
        this.#keepArtifacts(event.data)
        break
      case 'TaskCompleted':
        this.handoffs++
        this.lastHandoffAt = at
        break
      case 'QualityGateResult':
        this.#judge(event.data.passed)
        break
      case 'TaskReviewed':
        this.scores.set(event.data.workItemId, event.data.qualityScore)
        this.#judge(event.data.approved && event.data.qualityScore >= this.state.settings.minQualityScore)
        break
      default:
    }
  }

  #active(callId: string, at: Date): void {
    const role = this.state.calls.get(callId)?.role
    if (role === 'manager' || role === 'worker') this.activity[role] = at
  }

  #judge(passed: boolean): void {
    this.verdicts[passed ? 'passed' : 'failed']++
  }

  #keepArtifacts({ artifacts = [], changes }: SessionEventData['AgentCallCompleted']): void {
    for (const path of [...artifacts, ...(changes?.files ?? [])]) this.artifacts.add(path)
  }
}
