import type { AgentResult, FailedBecause, PaidFor } from '../executor.ts'
import type { SessionEventData } from './schemas.ts'
import type { SessionSettings } from './settings.ts'
import type { CallRole } from './state.ts'

interface Report {
  readonly callId: string
  /** From the claim; a report without the claim it belongs to is refused (P8). */
  readonly epoch: number
  readonly owner: string
}

/** What a gate said about one attempt. */
export interface GateReport {
  readonly passed: boolean
  readonly score: number
  /** The verdict in a word or two, for people. */
  readonly label?: string
  readonly explanation: string
  readonly evidence?: string
}

/** What a call's report may carry beside its outcome. */
export interface CallObservation {
  /** sha256 over the canonical JSON of what the agent was asked. */
  readonly requestDigest?: string
  /** In which wording it was asked, by whoever asked. */
  readonly promptVersion?: number | string
}

/** Who would make the calls that a command leads to: in a 'local' session they are claimed in the same append. */
export interface ClaimFor {
  readonly owner: string
  readonly roles: readonly CallRole[]
}

/** What may be asked of a session. The same command twice yields no events the second time. */
export type SessionCommand = SessionRequest & {
  readonly claimFor?: ClaimFor
  /** Counts only as long as nobody else runs this 'local' session. */
  readonly ranBy?: string
  /** When the command is given, milliseconds since the epoch. Without it approvals have no time limit. */
  readonly nowMs?: number
}

/** What is asked, without who would make the calls. */
export type SessionRequest =
  | {
      readonly kind: 'create'
      readonly task: string
      readonly workDir: string
      readonly settings: SessionSettings
      readonly owner: string
      readonly createdBy: string
      /** A plan the caller brings; without one the Manager is asked. */
      readonly workItems?: readonly SessionEventData['WorkItemCreated'][]
    }
  | { readonly kind: 'claim'; readonly callId: string; readonly owner: string }
  | (Report &
      CallObservation & {
        readonly kind: 'complete'
        readonly result: AgentResult
        readonly durationMs: number
      })
  | (Report & { readonly kind: 'complete-gate'; readonly gate: GateReport; readonly durationMs: number })
  | (Report &
      CallObservation & {
        readonly kind: 'report-failure'
        readonly error: { readonly code: string; readonly message: string }
        readonly retryable: boolean
        /** ISO time. */
        readonly retryAt?: string
        readonly because?: FailedBecause
        readonly paidFor?: PaidFor
        readonly durationMs: number
      })
  /** The owner itself stopped the call (shutdown, pause, cancel): not in doubt, not a failure. */
  | (Report &
      CallObservation & {
        readonly kind: 'report-cancelled'
        readonly reason: string
        /** From being told to stop until it had stopped. */
        readonly stopMs?: number
        /** Its executor was never started. */
        readonly unbegun?: true
        /** What it had cost by then, where that is known. */
        readonly paidFor?: PaidFor
      })
  /** The pool has not the means for it: the executor was never started, the session waits. */
  | (Report & { readonly kind: 'report-unaffordable'; readonly exceeded: SessionEventData['BudgetExceeded'] })
  /** Whoever runs the call hears nothing of its agent. */
  | { readonly kind: 'report-stalled'; readonly callId: string; readonly epoch: number; readonly silentMs: number }
  /** The owner is dead: nobody knows what became of the call. */
  | { readonly kind: 'doubt'; readonly callId: string; readonly epoch: number; readonly reason: string }
  /** A person's answer to a call in doubt. */
  | { readonly kind: 'resolve'; readonly callId: string; readonly resolution: 'retry' | 'resume' | 'fail' }
  | { readonly kind: 'add-work-item'; readonly workItem: SessionEventData['WorkItemCreated'] }
  | {
      readonly kind: 'update-workflow'
      readonly phase: SessionEventData['WorkflowStateUpdated']['phase']
      readonly note?: string
    }
  | {
      readonly kind: 'answer-approval'
      readonly approvalId: string
      readonly approved: boolean
      /** Instead of a no to a rejected work item: one more revision, with the reason as feedback. */
      readonly revise?: boolean
      readonly reason?: string
    }
  /** Whatever time limit has passed takes effect. */
  | { readonly kind: 'fire-timers'; readonly nowMs: number }
  | { readonly kind: 'raise-budget'; readonly limits: SessionEventData['BudgetRaised'] }
  | { readonly kind: 'pause'; readonly reason: string; readonly stopsCalls?: true }
  /** Taken only from the owner the caller saw: of two who find a dead owner one goes on. */
  | { readonly kind: 'resume'; readonly owner: string; readonly previousOwner: string }
  | { readonly kind: 'cancel'; readonly reason: string }
