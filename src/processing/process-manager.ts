import type { AnyEvent } from '../core/event.ts'
import { checkNames, type Names } from '../core/known-names.ts'
import {
  checkFunction,
  checkInteger,
  checkNameList,
  checkTopics,
  describe,
  invalidArgument,
} from '../store/check-arguments.ts'
import type { Projected } from './projection.ts'

/*
 * A process manager as data: what it hears, what it asks others to do, what follows, and how it is undone.
 *
 * P1 `correlate`, `evolve`, `nextActions` and the commands are pure.
 */

/** A message to whoever does the work: a command. It leaves in the append that decided it (P2). */
export interface ProcessMessage {
  /** Where whoever does the work listens. */
  readonly topic: string
  /** Default: the process's correlation id. */
  readonly key?: string
  /** Of the message. */
  readonly type: string
  /** JSON. */
  readonly data: unknown
}

/** How a step is undone. Whoever does it must be content when there is nothing to undo: a step in doubt is undone, too. */
export interface Compensation<State> {
  /** Asks for it; pure. */
  readonly command: (state: State) => ProcessMessage
  /** Types of events that say it is undone. */
  readonly doneBy: readonly string[]
  /** Types of events that say it could not be undone this time. */
  readonly failedBy?: readonly string[]
  /** No answer for so long counts as a failed attempt. Default 30,000. */
  readonly timeoutMs?: number
  /** Default 3. */
  readonly maxAttempts?: number
  /** Pause before the second attempt; doubles with each. Default 1,000. */
  readonly retryAfterMs?: number
}

/** Something somebody else does: asked for by a command, answered by an event. */
export interface ProcessStep<State> {
  /** Asks for it; pure. */
  readonly command: (state: State) => ProcessMessage
  /** Types of events that say it is done. */
  readonly doneBy: readonly string[]
  /** Types of events that say it failed. Default: none. */
  readonly failedBy?: readonly string[]
  /** No answer for so long: it is timed out, which is in doubt. Default: waits for ever. */
  readonly timeoutMs?: number
  /** How it is undone. Default: it need not be. */
  readonly compensation?: Compensation<State>
}

/**
 * What should happen by now. The same action again is nothing new: a step starts once, a message with an id leaves
 * once, a timer with an id runs once (the next one needs another id). So `nextActions` may simply say what the state asks for.
 */
export type ProcessAction<Step extends string = string> =
  /** Asks for a step: its command leaves. */
  | { readonly kind: 'start'; readonly step: Step }
  /** A message that nobody answers. */
  | { readonly kind: 'send'; readonly id: string; readonly message: ProcessMessage }
  /** Fires once; known to `nextActions` as `timers[timer] === 'fired'`. */
  | { readonly kind: 'schedule'; readonly timer: string; readonly afterMs: number }
  /** A timer that is pending no more is nothing to cancel. */
  | { readonly kind: 'cancel'; readonly timer: string }
  /** Undoes the steps that were done or are in doubt, the last one first. No action is asked for any more. */
  | { readonly kind: 'compensate'; readonly reason: string }
  /** Ends the process; its timers with it. */
  | { readonly kind: 'complete' }

/** Where a step is; `timed-out` is in doubt: it may have been done. */
export type StepStatus = 'started' | 'completed' | 'failed' | 'timed-out' | 'compensated' | 'compensation-failed'

/** The end states are the last three. */
export type ProcessStatus = 'running' | 'compensating' | 'completed' | 'compensated' | 'partly-compensated'

/** What `nextActions` sees of the process beside its own state. */
export interface ProcessProgress<Step extends string = string> {
  /** How the process stands. */
  readonly status: ProcessStatus
  /** Those that were started, by name. */
  readonly steps: { readonly [Name in Step]?: StepStatus }
  /** Timers of `schedule`, by name. */
  readonly timers: Readonly<Record<string, 'pending' | 'fired' | 'cancelled'>>
}

/** What {@link defineProcessManager} takes. */
export interface ProcessManagerOptions<State, E extends AnyEvent, Step extends string> {
  /** Names its streams (`NAME:CORRELATIONID`) and its consumer group. */
  readonly name: string
  /** What it listens to. Default: the store's event topic. */
  readonly topics?: readonly string[]
  /** Which process an event belongs to; nothing: none. The first event of a process begins it. */
  readonly correlate: (event: Projected<E>) => string | undefined
  /** The state before the first event. */
  readonly initialState: () => State
  /** The state after an event; must not change the one it was given. */
  readonly evolve: (state: State, event: E) => State
  /** What others do for it, by name. */
  readonly steps: Readonly<Record<Step, ProcessStep<State>>>
  /** What should happen by now; pure. Asked after each event and timer, again and again until it asks for nothing new. */
  readonly nextActions: (
    state: State,
    progress: ProcessProgress<NoInfer<Step>>,
  ) => readonly ProcessAction<NoInfer<Step>>[]
}

/** A process manager's definition; run it with `startProcessManager`. */
export interface ProcessManager<State, E extends AnyEvent = AnyEvent> extends ProcessManagerOptions<State, E, string> {}

const NAME = /^[a-zA-Z0-9._-]{1,200}$/

/**
 * Defines a process manager: it hears events, asks for steps, waits with timers, and undoes what was done.
 *
 * @throws INVALID_ARGUMENT naming the field.
 */
export function defineProcessManager<State, E extends AnyEvent, const Step extends string>(
  options: ProcessManagerOptions<State, E, Step>,
): ProcessManager<State, E> {
  checkNames('options of defineProcessManager', options, NAMES)
  checkManagerName(options?.name)
  const { topics, steps } = options
  const of = `of process manager "${options.name}"`
  if (topics !== undefined) checkTopics(`topics ${of}`, topics)
  for (const name of FUNCTIONS) checkFunction(`${name} ${of}`, options[name])
  if (typeof steps !== 'object' || steps === null || Array.isArray(steps)) {
    throw invalidArgument(`steps ${of} must be steps by name, got ${describe(steps)}.`)
  }
  for (const [name, step] of Object.entries<ProcessStep<State>>(steps)) checkStep(name, step)
  const nextActions = options.nextActions as ProcessManager<State, E>['nextActions']
  return { ...options, nextActions }
}

/** The same under the name by which others know it. */
export const defineSaga = defineProcessManager

const NAMES: Names<ProcessManagerOptions<never, never, never>> = {
  name: true,
  topics: true,
  correlate: true,
  initialState: true,
  evolve: true,
  steps: true,
  nextActions: true,
}
const FUNCTIONS = ['correlate', 'initialState', 'evolve', 'nextActions'] as const
const STEP: Names<ProcessStep<never>> = {
  command: true,
  doneBy: true,
  failedBy: true,
  timeoutMs: true,
  compensation: true,
}
const COMPENSATION: Names<Compensation<never>> = {
  command: true,
  doneBy: true,
  failedBy: true,
  timeoutMs: true,
  maxAttempts: true,
  retryAfterMs: true,
}

function checkManagerName(name: unknown): void {
  // Streams, a consumer group and the topic of what it gets again are called after it.
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw invalidArgument(
      'The name of a process manager must be 1 to 200 of the characters a-z, A-Z, 0-9, ".", "_" and "-", ' +
        `got ${describe(name)}.`,
    )
  }
  // The marks of its timers are in streams of that name.
  if (name.endsWith('.timers')) throw invalidArgument('The name of a process manager must not end in ".timers".')
}

function checkStep<State>(name: string, step: ProcessStep<State>): void {
  const where = `step "${name}"`
  checkNames(where, step ?? null, STEP)
  const { timeoutMs, compensation } = step
  checkAsked(where, step)
  if (timeoutMs !== undefined) checkInteger(`timeoutMs of ${where}`, timeoutMs, 1)
  if (compensation !== undefined) checkCompensation(`the compensation of ${where}`, compensation)
}

function checkCompensation<State>(where: string, compensation: Compensation<State>): void {
  checkNames(where, compensation, COMPENSATION)
  const { maxAttempts, timeoutMs, retryAfterMs } = compensation
  checkAsked(where, compensation)
  if (maxAttempts !== undefined) checkInteger(`maxAttempts of ${where}`, maxAttempts, 1)
  if (timeoutMs !== undefined) checkInteger(`timeoutMs of ${where}`, timeoutMs, 1)
  if (retryAfterMs !== undefined) checkInteger(`retryAfterMs of ${where}`, retryAfterMs, 0)
}

/** What is asked for, and which events answer it. */
function checkAsked<State>(where: string, asked: Pick<ProcessStep<State>, 'command' | 'doneBy' | 'failedBy'>): void {
  const { command, doneBy, failedBy } = asked
  checkFunction(`command of ${where}`, command)
  checkNameList(`doneBy of ${where}`, doneBy, 'event')
  // An empty list says what is true without it.
  if (failedBy?.length !== 0 && failedBy !== undefined) checkNameList(`failedBy of ${where}`, failedBy, 'event')
}
