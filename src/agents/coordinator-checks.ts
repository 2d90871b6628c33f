import * as z from 'zod'
import { invalidArgument } from '../store/check-arguments.ts'
import {
  aBoolean,
  aClock,
  aFunction,
  aLogger,
  aName,
  anExecutor,
  anObject,
  anything,
  aSignal,
  aStore,
  aText,
  checkArgument,
  checkOptions,
  eachOf,
  integerFrom,
  oneOf,
  optional,
  type Shape,
} from './check-options.ts'
import type {
  AgentResponse,
  ForkOptions,
  KafkaAgentCoordinatorOptions,
  PauseOptions,
  ResumeOptions,
  RunOptions,
  SentTask,
} from './coordinator-options.ts'
import { settingsOf } from './coordinator-parts.ts'
import { checked } from './explain-issues.ts'
import { raisedLimitsSchema } from './session/budget-settings.ts'
import { type SessionEventData, sessionEventData } from './session/schemas.ts'
import { plannedWorkItemSchema } from './structured-output.ts'

/*
 * What a coordinator is given, looked at before anything is written.
 */

const COORDINATOR: Shape<KafkaAgentCoordinatorOptions> = {
  store: aStore,
  executor: optional(anExecutor),
  executors: optional(anObject),
  gates: (value) => (value === false ? undefined : optional(aFunction)(value)),
  gateFunctions: optional(eachOf(aFunction)),
  prompts: optional(anObject),
  workDirChanges: optional(aBoolean),
  workRoot: optional(aText),
  settings: optional(anObject),
  concurrency: optional(integerFrom(1)),
  owner: optional(aName),
  reapEveryMs: optional(integerFrom(1)),
  logger: optional(aLogger),
  clock: optional(aClock),
  onProgress: optional(aFunction),
}

const EXECUTORS: Shape<NonNullable<KafkaAgentCoordinatorOptions['executors']>> = {
  manager: optional(anExecutor),
  worker: optional(anExecutor),
}

/** @throws INVALID_ARGUMENT naming the field, also of `settings` */
export function coordinator(options: KafkaAgentCoordinatorOptions, where = 'options of KafkaAgentCoordinator'): void {
  checkOptions(where, options, COORDINATOR)
  if (options.executors !== undefined) checkOptions(`${where}: executors`, options.executors, EXECUTORS)
  if (options.settings !== undefined) settingsOf(options.settings)
}

type CreateOptions = RunOptions & { readonly workItems?: readonly SentTask[] }

const RUN: Shape<RunOptions> = {
  sessionId: optional(aName),
  workDir: optional(aText),
  settings: optional(anObject),
  signal: optional(aSignal),
}
const CREATE: Shape<CreateOptions> = { ...RUN, workItems: anything }

const sentWorkItem = z.strictObject({
  sessionId: z.string().optional(),
  workItemId: z.string().min(1, 'must not be empty').max(128, 'must have at most 128 characters'),
  title: z.string().min(1, 'must not be empty'),
  description: z.string(),
  acceptanceCriteria: z.array(z.string()),
  priority: z.number().optional(),
  dependencies: z.array(z.string()).optional(),
  workDir: z.string().optional(),
})

export function run(task: string, options: RunOptions): void {
  checkArgument('task', task, aText)
  checkOptions('options of run', options, RUN)
}

export function create(task: string, options: CreateOptions): void {
  checkArgument('task', task, aText)
  checkOptions('options of create', options, CREATE)
  if (options.workItems !== undefined) checked('workItems', z.array(sentWorkItem), options.workItems)
}

export function sessionId(given: string): void {
  checkArgument('sessionId', given, aName)
}

export function sentTask(role: string, task: SentTask): void {
  if (role !== 'worker') {
    throw invalidArgument(`role: "${role}" takes no tasks of this kind. Plans and reviews follow from the session.`)
  }
  checked('task', sentWorkItem.required({ sessionId: true }), task)
}

const RESUME: Shape<ResumeOptions> = { signal: optional(aSignal), onWait: optional(aFunction) }

export function resume(options: ResumeOptions): void {
  checkOptions('options of resume', options, RESUME)
}

const FORK: Shape<ForkOptions> = {
  at: anything,
  sessionId: optional(aName),
  task: optional(aText),
  workDir: optional(aText),
  settings: optional(anObject),
  workItems: anything,
}

export function fork(options: ForkOptions): void {
  checkOptions('options of fork', options, FORK)
  if (options.workItems !== undefined)
    checked('workItems', z.array(plannedWorkItemSchema.strict()).min(1), options.workItems)
}

export function reason(given: string): void {
  checkArgument('reason', given, aText)
}

const PAUSE: Shape<PauseOptions> = { stopCalls: optional(aBoolean) }

export function pause(why: string, options: PauseOptions): void {
  reason(why)
  checkOptions('options of pause', options, PAUSE)
}

const ANSWER: Shape<{ approved: boolean; revise?: boolean; reason?: string }> = {
  approved: aBoolean,
  revise: optional(aBoolean),
  reason: optional(aText),
}

export function answer(approvalId: string, given: object): void {
  checkArgument('approvalId', approvalId, aText)
  checkOptions('answer', given, ANSWER)
}

export function resolution(callId: string, given: string): void {
  checkArgument('callId', callId, aText)
  checkArgument('resolution', given, oneOf('retry', 'resume', 'fail'))
}

export function claim(callId: string, owner: string): void {
  checkArgument('callId', callId, aText)
  checkArgument('owner', owner, aName)
}

const RESPONSE: Shape<AgentResponse> = {
  sessionId: aName,
  callId: aText,
  epoch: integerFrom(1),
  owner: aName,
  result: anything,
  error: optional(anObject),
  durationMs: anything,
}

export function response(given: AgentResponse): void {
  checkOptions('response', given, RESPONSE)
}

export function raisedLimits(limits: unknown): SessionEventData['BudgetRaised'] {
  return checked('limits', raisedLimitsSchema, limits)
}

type Phase = SessionEventData['WorkflowStateUpdated']['phase']
const update = sessionEventData.WorkflowStateUpdated.strict()

export function workflowUpdate(given: unknown): { readonly phase: Phase; readonly note?: string } {
  const { phase, note } = checked('update', update, given)
  return { phase, ...(note !== undefined && { note }) }
}
