import type { SessionEventData } from './schemas.ts'
import type { CallState } from './state.ts'

/** One step a session can take; see `nextActions`. */
export type SessionAction =
  | { readonly kind: 'plan'; readonly attempt: number; readonly again?: CallState }
  | { readonly kind: 'assign'; readonly workItemId: string; readonly attempt: number }
  | { readonly kind: 'work-again'; readonly workItemId: string; readonly again: CallState }
  /** Without a work item: a gate of the session. `paid`: a reviewer is asked. */
  | {
      readonly kind: 'evaluate-gate'
      readonly workItemId?: string
      readonly gateId: string
      readonly paid: boolean
      readonly again?: CallState
    }
  /** An advisory gate that cannot be run costs nobody anything; a mandatory one fails its item. */
  | { readonly kind: 'skip-gate'; readonly call: CallState; readonly reason: string }
  | { readonly kind: 'review'; readonly workItemId: string; readonly again?: CallState }
  | { readonly kind: 'accept'; readonly workItemId: string; readonly by?: 'person' }
  | { readonly kind: 'revise'; readonly workItemId: string; readonly feedback: readonly string[] }
  | { readonly kind: 'fail-item'; readonly workItemId: string; readonly reason: string }
  | { readonly kind: 'block-item'; readonly workItemId: string; readonly blockedBy: readonly string[] }
  | { readonly kind: 'request-approval'; readonly request: SessionEventData['ApprovalRequested'] }
  | { readonly kind: 'exceed-budget'; readonly exceeded: SessionEventData['BudgetExceeded'] }
  | { readonly kind: 'complete' }
  | { readonly kind: 'fail'; readonly reason: string }
