import * as z from 'zod'
import { raisedLimitsSchema } from '../session/budget-settings.ts'
import type { SessionCommand } from '../session/commands.ts'
import { settingsSchema } from '../session/settings.ts'
import { plannedWorkItemSchema } from '../structured-output.ts'

/*
 * What may be asked of sessions from outside, checked by zod: a program, a form, a message from another system.
 */

const sessionId = z.string().min(1).max(256)
/** The same id twice is one command. Default: none, and a command is idempotent as far as the session itself is. */
const commandId = z.string().min(1).max(200).optional()
const reason = z.string().min(1)

const workItemSchema = plannedWorkItemSchema.extend({
  description: z.string().default(''),
  acceptanceCriteria: z.array(z.string().min(1)).default([]),
})

const phases = ['analysis', 'planning', 'execution', 'integration', 'validation', 'completion'] as const

/** The schema of each command, by its name. */
export const agentCommandSchemas = {
  /** A session whose calls are made by services (`dispatch: 'topics'`). With `workItems` it has its plan already. */
  createSession: z.strictObject({
    sessionId,
    commandId,
    task: z.string().min(1),
    /** Where the agents work. */
    workDir: z.string().min(1),
    settings: settingsSchema.omit({ dispatch: true }).prefault({}),
    workItems: z.array(workItemSchema).optional(),
  }),
  /** One more work item for a session that has its plan. */
  createWorkItem: z.strictObject({ sessionId, commandId, workItem: workItemSchema }),
  updateWorkflowState: z.strictObject({
    sessionId,
    commandId,
    phase: z.enum(phases),
    note: z.string().optional(),
  }),
  answerApproval: z.strictObject({
    sessionId,
    commandId,
    approvalId: z.string().min(1),
    approved: z.boolean(),
    /** Instead of a no to a rejected work item, or to the session's gates: one more revision, with the reason as feedback. */
    revise: z.boolean().optional(),
    reason: reason.optional(),
  }),
  /** Of the session, or with `role` of its Manager or its Worker. */
  raiseBudget: z.strictObject({ sessionId, commandId, limits: raisedLimitsSchema }),
  pauseSession: z.strictObject({ sessionId, commandId, reason: reason.default('paused by a command') }),
  /** Goes on with a session that is paused, or waits for its budget pool. */
  resumeSession: z.strictObject({ sessionId, commandId }),
  /** What shall become of a call in doubt (`inDoubt: 'ask'`). */
  resolveCall: z.strictObject({
    sessionId,
    commandId,
    callId: z.string().min(1),
    resolution: z.enum(['retry', 'resume', 'fail']),
  }),
  cancelSession: z.strictObject({ sessionId, commandId, reason: reason.default('cancelled by a command') }),
} as const

/** Names of the commands. */
export type AgentCommandName = keyof typeof agentCommandSchemas
/** What each command carries, as a caller writes it. */
export type AgentCommandInput = {
  [Name in AgentCommandName]: z.input<(typeof agentCommandSchemas)[Name]>
}
/** What each command carries, checked, with its defaults. */
export type AgentCommandData = { [Name in AgentCommandName]: z.infer<(typeof agentCommandSchemas)[Name]> }

/** A command with its name, as a message carries it. */
export type AgentCommand = {
  [Name in AgentCommandName]: { readonly type: Name } & AgentCommandInput[Name]
}[AgentCommandName]

const OWNER = 'agent-command-service'

type ToSession = { [Name in AgentCommandName]: (data: AgentCommandData[Name], sessionOwner: string) => SessionCommand }

/** What each command means to a session of that owner. Pure. */
export const sessionCommands: ToSession = {
  createSession: ({ task, workDir, settings, workItems }) => ({
    kind: 'create',
    task,
    workDir,
    settings: { ...settings, dispatch: 'topics' },
    owner: OWNER,
    createdBy: OWNER,
    ...(workItems && { workItems: workItems.map(asWorkItem) }),
  }),
  createWorkItem: ({ workItem }) => ({ kind: 'add-work-item', workItem: asWorkItem(workItem) }),
  updateWorkflowState: ({ phase, note }) => ({ kind: 'update-workflow', phase, ...(note !== undefined && { note }) }),
  answerApproval: ({ approvalId, approved, revise, reason }) => ({
    kind: 'answer-approval',
    approvalId,
    approved,
    ...(revise !== undefined && { revise }),
    ...(reason !== undefined && { reason }),
  }),
  raiseBudget: ({ limits }) => ({ kind: 'raise-budget', limits }),
  resumeSession: (_, owner) => ({ kind: 'resume', owner, previousOwner: owner }),
  resolveCall: ({ callId, resolution }) => ({ kind: 'resolve', callId, resolution }),
  pauseSession: ({ reason }) => ({ kind: 'pause', reason }),
  cancelSession: ({ reason }) => ({ kind: 'cancel', reason }),
}

function asWorkItem({ id, ...item }: z.infer<typeof workItemSchema>) {
  return { workItemId: id, ...item }
}
