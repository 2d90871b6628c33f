import * as z from 'zod'
import { toolCallSchema, usageSchema } from '../call-facts.ts'
import { raisedLimitsSchema } from './budget-settings.ts'
import { settingsSchema } from './settings.ts'

/*
 * The data of every session event. Past tense, and enough to explain everything a person asks of a session.
 * `sessionId` is the stream's name and stands in no event's data.
 */

/** Default: a person. */
const answeredBy = z.enum(['person', 'timeout'])
const callId = z.string().min(1)
const workItemId = z.string().min(1).max(128)
const attempt = z.int().positive()
const epoch = z.int().positive()
const changes = z.object({
  /** From git, or by comparing files. */
  by: z.enum(['git', 'files']),
  /** What the difference is to; the next attempt at the item is compared to the same. */
  base: z.string().optional(),
  /** Relative to the work directory; at most 500. */
  files: z.array(z.string()),
  fileCount: z.int().nonnegative(),
  /** The difference in words, shortened in its middle. */
  text: z.string(),
})
/** In which wording it was asked, where whoever asked has another than was reserved. */
const promptVersion = z.union([z.int().positive(), z.string()]).optional()
/** sha256 over the canonical JSON of what the agent was asked. */
const requestDigest = z.string().regex(/^[0-9a-f]{64}$/)

/** Nobody could say what it cost: `costUsd` is what is known, and budgets count the reservation where that is more. */
const costUnknown = z.literal(true).optional()

const failure = z.object({ code: z.string(), message: z.string() })

/** The schema of each event of a session, by its name. */
export const sessionEventData = {
  /** The first event: what is asked, and by which rules. */
  SessionCreated: z.object({
    task: z.string().min(1),
    workDir: z.string().min(1),
    settings: settingsSchema,
    /** Who runs the session; where `dispatch` is 'local', nobody else may while it lives. */
    owner: z.string(),
    createdBy: z.string(),
    /** What the wall clock of the budget counts from. */
    startedAt: z.iso.datetime().optional(),
  }),
  /** A session that goes on from what another one was right after one of its events; that history is part of it, by reference. */
  SessionForked: z.object({
    from: z.string().min(1),
    /** The last event of the other session that is taken over. */
    atVersion: z.int().positive(),
    task: z.string().min(1),
    workDir: z.string().min(1),
    settings: settingsSchema,
    owner: z.string(),
    createdBy: z.string(),
    /** From here its own wall clock counts. */
    startedAt: z.iso.datetime().optional(),
    /** The plan was replaced: what a person approved of the old one does not stand. */
    newPlan: z.literal(true).optional(),
    /** Work items taken over with their state; a new plan replaces the others. */
    keptWorkItemIds: z.array(workItemId),
    /** What was changed, for people. */
    changes: z.array(z.string()),
  }),
  /** The work is in another phase; phases follow by themselves, or a host says so. */
  WorkflowStateUpdated: z.object({
    phase: z.enum(['analysis', 'planning', 'execution', 'integration', 'validation', 'completion']),
    note: z.string().optional(),
  }),
  /** The Manager's plan was read and checked; its items follow as WorkItemCreated. */
  PlanProposed: z.object({ callId, strategy: z.string(), workItemIds: z.array(workItemId) }),
  /** The Manager's answer was no plan, or an impossible one; it is asked again with the errors, `maxPlanAttempts` times. */
  PlanRejected: z.object({ callId, attempt, errors: z.array(z.string()).min(1) }),
  /** One piece of the plan, or of what a caller brought. */
  WorkItemCreated: z.object({
    workItemId,
    title: z.string(),
    description: z.string(),
    acceptanceCriteria: z.array(z.string()),
    /** 1 is done first, 5 last. */
    priority: z.number(),
    estimatedEffort: z.number().optional(),
    dependencies: z.array(workItemId),
  }),
  /** An attempt at a work item begins: its dependencies are accepted and there is room for it. */
  TaskAssigned: z.object({ workItemId, attempt, callId, assignedTo: z.literal('worker') }),
  /** A call is to be made: what it may cost is held, and whoever serves its role may claim it. */
  AgentCallReserved: z.object({
    callId,
    role: z.enum(['manager', 'worker', 'gate']),
    purpose: z.enum(['plan', 'work', 'review', 'gate']),
    workItemId: workItemId.optional(),
    gateId: z.string().optional(),
    attempt,
    /** From 1: the same attempt's calls, when an earlier one failed, was cancelled or is in doubt. */
    try: z.int().positive(),
    predecessor: callId.optional(),
    /** Whoever claims it waits until then. */
    notBefore: z.iso.datetime().optional(),
    timeoutMs: z.int().positive(),
    model: z.string().optional(),
    /** Which wording the agent is to be asked with, as the session has it. */
    promptVersion,
    /** Held from the session's budget until the call has its outcome. */
    reservedUsd: z.number().nonnegative().optional(),
    reservedTokens: z.int().nonnegative().optional(),
    reservedTurns: z.int().nonnegative().optional(),
    /** The executor's own session to go on with (policy 'resume'). */
    resume: z.string().optional(),
  }),
  /** Somebody makes the call now. A later claim has a higher epoch; what an earlier one reports is refused. */
  AgentCallClaimed: z.object({ callId, epoch, owner: z.string() }),
  /** Its agent has given no sign of life for so long (the session's `stalledAfterMs`); once for each claim. */
  AgentCallStalled: z.object({ callId, epoch, silentMs: z.int().positive() }),
  /** The agent has answered; what the answer comes to follows in the same append. */
  AgentCallCompleted: z.object({
    callId,
    epoch,
    output: z.string(),
    /** Set when `output` was shortened: how many characters it had. */
    fullOutputChars: z.int().nonnegative().optional(),
    /** Then the whole is among the store's blobs. */
    outputRef: z
      .object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().positive(), location: z.string() })
      .optional(),
    structured: z.json().optional(),
    /** What a Worker's call did to the work directory. */
    changes: changes.optional(),
    requestDigest: requestDigest.optional(),
    promptVersion,
    usage: usageSchema.optional(),
    costUsd: z.number().nonnegative(),
    costUnknown,
    executorSessionId: z.string().optional(),
    artifacts: z.array(z.string()).optional(),
    durationMs: z.number().nonnegative(),
  }),
  /** The call came to nothing; where `retryable`, it is made again, `maxCallAttempts` times. */
  AgentCallFailed: z.object({
    callId,
    epoch,
    error: failure,
    retryable: z.boolean(),
    /** No failure of the call's own: it is made again when the limit is lifted, or when a person has raised its budget. */
    because: z.enum(['rate-limit', 'budget']).optional(),
    /** Another try makes no sense before (a rate limit's reset, say). */
    retryAt: z.iso.datetime().optional(),
    usage: usageSchema.optional(),
    requestDigest: requestDigest.optional(),
    promptVersion,
    executorSessionId: z.string().optional(),
    costUsd: z.number().nonnegative(),
    costUnknown,
    durationMs: z.number().nonnegative(),
  }),
  /**
   * A tool was used within a call; in the same append as the call's outcome, which stands before it. Equal ones in a row
   * are one event with their count; after 100 events one more sums up the rest.
   */
  AgentToolCalled: toolCallSchema.extend({ callId, count: z.int().positive() }),
  /** The call was stopped, or withdrawn before anybody claimed it (then without an epoch). */
  AgentCallCancelled: z.object({
    callId,
    epoch: epoch.optional(),
    reason: z.string(),
    /** From the moment its executor was told to stop until it had, with everything it had started. */
    stopMs: z.number().nonnegative().optional(),
    /** It was claimed, but its executor was never started. */
    unbegun: z.literal(true).optional(),
    requestDigest: requestDigest.optional(),
    promptVersion,
    /** What it had cost by then; without it nobody knows, and budgets count the reservation of one that had begun. */
    costUsd: z.number().nonnegative().optional(),
    costUnknown,
    usage: usageSchema.optional(),
  }),
  /** Whoever had claimed it is gone, and nobody knows its outcome: resolved by the session's `inDoubt`. */
  AgentCallInDoubt: z.object({ callId, epoch, owner: z.string(), reason: z.string() }),
  /** What becomes of a call in doubt: made again, gone on with, or given up. */
  AgentCallResolved: z.object({
    callId,
    resolution: z.enum(['retry', 'resume', 'fail']),
    by: z.enum(['policy', 'person']),
  }),
  /** A report by someone who had lost the claim: shown, but it changes nothing (P8). */
  AgentCallReportRefused: z.object({
    callId,
    epoch,
    owner: z.string(),
    reported: z.enum(['completed', 'failed', 'cancelled']),
    costUsd: z.number().nonnegative(),
    costUnknown,
    usage: usageSchema.optional(),
  }),
  /** The Worker has delivered an attempt; gates and reviewer judge it now. */
  TaskCompleted: z.object({ workItemId, attempt, callId }),
  /** Without a work item: a gate of the session. */
  QualityGateResult: z.object({
    workItemId: workItemId.optional(),
    attempt,
    callId,
    gateId: z.string(),
    mandatory: z.boolean(),
    /** As the evaluator said, unless its score is below the gate's threshold. */
    passed: z.boolean(),
    /** As the evaluator gave it. */
    score: z.number().min(0).max(1),
    minScore: z.number().min(0).max(1).optional(),
    label: z.string().optional(),
    explanation: z.string(),
    evidence: z.string().optional(),
  }),
  /** The reviewer's verdict as answered. The item is accepted when every mandatory gate agrees. */
  TaskReviewed: z.object({
    workItemId,
    attempt,
    callId,
    approved: z.boolean(),
    qualityScore: z.number().min(0).max(1),
    feedback: z.array(z.string()),
    recommendations: z.array(z.string()),
  }),
  /** The reviewer's answer was no verdict; it is asked again with the errors. */
  ReviewRejected: z.object({
    workItemId: workItemId.optional(),
    /** Set when a reviewer was asked for a gate. */
    gateId: z.string().optional(),
    attempt,
    callId,
    errors: z.array(z.string()).min(1),
  }),
  /** Rejected: the item goes back with what reviewer and gates said. */
  RevisionRequested: z.object({ workItemId, attempt, feedback: z.array(z.string()) }),
  /** Reviewer and mandatory gates, or a person, accept the attempt. */
  WorkItemAccepted: z.object({
    workItemId,
    attempt,
    qualityScore: z.number().optional(),
    /** Set when a person accepted what reviewer or gates had rejected. */
    by: z.literal('person').optional(),
  }),
  /** Nothing more is tried for the item; what depends on it is blocked. */
  WorkItemFailed: z.object({ workItemId, attempt: z.int().nonnegative(), reason: z.string() }),
  /** It cannot be begun: what it depends on has failed. */
  WorkItemBlocked: z.object({ workItemId, blockedBy: z.array(workItemId) }),
  /** The next call does not fit: the session waits for money. What runs is finished. */
  BudgetExceeded: z.object({
    /** `call`: a call stopped at what it may spend itself (`perCallUsd`), with nothing to show for it. */
    limit: z.enum(['usd', 'calls', 'tokens', 'turns', 'wall-clock', 'call']),
    /** Whose limit; without one the session's. */
    scope: z.enum(['session', 'manager', 'worker', 'pool']).optional(),
    max: z.number(),
    spent: z.number(),
    reserved: z.number(),
    needed: z.number(),
    /** Absent when time ran out, not the means for one call. */
    purpose: z.enum(['plan', 'work', 'review']).optional(),
  }),
  /** A person gave new limits; those that are not named stay. */
  BudgetRaised: raisedLimitsSchema,
  /** A person has to answer before the session goes on with `subject`. */
  ApprovalRequested: z.object({
    approvalId: z.string().min(1),
    subject: z.enum(['plan', 'work-item', 'tool', 'cost', 'verdict', 'session-gates', 'completion']),
    workItemId: workItemId.optional(),
    /** What the person decides about, in words. */
    input: z.string(),
    /** When nobody has answered by then, `onTimeout` happens. */
    expiresAt: z.iso.datetime().optional(),
    onTimeout: z.enum(['deny', 'approve', 'escalate']).optional(),
  }),
  /** Approved: the session goes on with what was asked. */
  ApprovalGiven: z.object({ approvalId: z.string(), reason: z.string().optional(), by: answeredBy.optional() }),
  /** Denied: the work item, or the session, has failed; a tool is done without. */
  ApprovalDenied: z.object({ approvalId: z.string(), reason: z.string(), by: answeredBy.optional() }),
  /** Nobody answered in time: it waits on, without limit, marked as overdue. */
  ApprovalEscalated: z.object({ approvalId: z.string() }),
  /** A person asked about a rejection grants another revision instead of accepting or refusing. */
  RevisionGranted: z.object({ approvalId: z.string(), workItemId: workItemId.optional(), feedback: z.string() }),
  /** Nothing new begins until SessionResumed. */
  SessionPaused: z.object({
    reason: z.string(),
    /** Running calls are stopped, too; else they finish. */
    stopsCalls: z.literal(true).optional(),
  }),
  /** It goes on, from now on run by `owner`. */
  SessionResumed: z.object({ owner: z.string() }),
  /** Ended: every work item is accepted, and the session's gates agree. */
  SessionCompleted: z.object({ acceptedWorkItems: z.array(workItemId) }),
  /** Ended without what was asked. */
  SessionFailed: z.object({ reason: z.string() }),
  /** Ended by a person; what runs is stopped with its process tree. */
  SessionCancelled: z.object({ reason: z.string() }),
} as const

/** The data of each event of a session, by its name. */
export type SessionEventData = { [Name in keyof typeof sessionEventData]: z.infer<(typeof sessionEventData)[Name]> }
/** New limits of a session's budget. */
export type BudgetRaised = SessionEventData['BudgetRaised']
/** Names of the events of a session. */
export type SessionEventName = keyof SessionEventData
/** Everything that can happen to a session. */
export type SessionEvent = {
  [Name in SessionEventName]: { readonly type: Name; readonly data: SessionEventData[Name] }
}[SessionEventName]

/** Names of the design that mean one of the events above. */
export const sessionEventAliases = {
  SessionStarted: 'SessionCreated',
  WorkItemCompleted: 'TaskCompleted',
  QualityGateEvaluated: 'QualityGateResult',
} as const satisfies Record<string, SessionEventName>
