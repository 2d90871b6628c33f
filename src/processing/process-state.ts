import type { AnyEvent } from '../core/event.ts'
import type { ProcessEvent } from './process-events.ts'
import type { ProcessManager, ProcessProgress, ProcessStatus, StepStatus } from './process-manager.ts'

/*
 * What a process is, folded from its own stream. Pure (P1).
 */

/** A process as its stream tells it. */
export interface ProcessState<State> extends ProcessProgress {
  /** The definition's own state. */
  readonly state: State
  /** In the order they were started. */
  readonly started: readonly string[]
  /** Ids of the messages that left by `send`. */
  readonly sent: readonly string[]
  /** Every pending timer, the process's own (time-outs, retries) too: when it is due. */
  readonly pending: Readonly<Record<string, number>>
  /** How far the undoing is; nothing: there is none. */
  readonly compensation?: CompensationState
}

/** How far the undoing is. */
export interface CompensationState {
  /** Why it is undone. */
  readonly reason: string
  /** The step being undone, and what is left after it. */
  readonly queue: readonly string[]
  /** Of the step that is being undone. */
  readonly attempts: number
  /** What could not be undone. */
  readonly left: readonly string[]
}

export const stepTimer = (step: string) => `step/${step}`
export const answerTimer = (step: string) => `answer/${step}`
export const retryTimer = (step: string) => `retry/${step}`
/** Timers of `schedule` live apart from the process's own. */
export const ownTimer = (timer: string) => `timer/${timer}`

const OWN = 'timer/'

export function initialProcess<State>(initial: State): ProcessState<State> {
  return { status: 'running', state: initial, steps: {}, started: [], sent: [], timers: {}, pending: {} }
}

export function isEnded({ status }: { readonly status: ProcessStatus }): boolean {
  return status === 'completed' || status === 'compensated' || status === 'partly-compensated'
}

export function evolveProcess<State, E extends AnyEvent>(
  manager: ProcessManager<State, E>,
  process: ProcessState<State>,
  event: ProcessEvent,
): ProcessState<State> {
  switch (event.type) {
    case 'ProcessObserved':
      return { ...process, state: manager.evolve(process.state, heard(event.data) as E) }
    case 'MessageSent':
      return { ...process, sent: [...process.sent, event.data.id] }
    case 'TimerScheduled':
    case 'TimerFired':
    case 'TimerCancelled':
      return evolveTimer(process, event)
    case 'TimerMarkMoved':
      return process
    case 'ProcessCompleted':
      return { ...process, status: 'completed' }
    case 'ProcessCompensated':
      return { ...process, status: event.data.left.length > 0 ? 'partly-compensated' : 'compensated' }
    case 'CompensationStarted':
    case 'CompensationRequested':
    case 'CompensationAttemptFailed':
    case 'StepCompensated':
    case 'CompensationFailed':
      return evolveCompensation(process, event)
    default:
      return evolveStep(process, event)
  }
}

function heard({ type, data }: { readonly type: string; readonly data: unknown }): AnyEvent {
  return { type, data }
}

type Of<Type extends ProcessEvent['type']> = Extract<ProcessEvent, { readonly type: Type }>

const stepStatus = {
  StepStarted: 'started',
  StepCompleted: 'completed',
  StepFailed: 'failed',
  StepTimedOut: 'timed-out',
} as const

function evolveStep<State>(process: ProcessState<State>, event: Of<keyof typeof stepStatus>): ProcessState<State> {
  const { step } = event.data
  const started = event.type === 'StepStarted' ? [...process.started, step] : process.started
  return { ...withStep(process, step, stepStatus[event.type]), started }
}

function withStep<State>(process: ProcessState<State>, step: string, status: StepStatus): ProcessState<State> {
  return { ...process, steps: { ...process.steps, [step]: status } }
}

function evolveTimer<State>(
  process: ProcessState<State>,
  event: Of<'TimerScheduled' | 'TimerFired' | 'TimerCancelled'>,
): ProcessState<State> {
  const { timer } = event.data
  const { [timer]: _, ...others } = process.pending
  const pending = event.type === 'TimerScheduled' ? { ...others, [timer]: event.data.dueAtMs } : others
  if (!timer.startsWith(OWN)) return { ...process, pending }
  const status = { TimerScheduled: 'pending', TimerFired: 'fired', TimerCancelled: 'cancelled' } as const
  return { ...process, pending, timers: { ...process.timers, [timer.slice(OWN.length)]: status[event.type] } }
}

type CompensationEvent = Of<
  | 'CompensationStarted'
  | 'CompensationRequested'
  | 'CompensationAttemptFailed'
  | 'StepCompensated'
  | 'CompensationFailed'
>

function evolveCompensation<State>(process: ProcessState<State>, event: CompensationEvent): ProcessState<State> {
  if (event.type === 'CompensationStarted') {
    const { reason, steps } = event.data
    return { ...process, status: 'compensating', compensation: { reason, queue: steps, attempts: 0, left: [] } }
  }
  const { compensation } = process
  if (compensation === undefined || event.type === 'CompensationAttemptFailed') return process
  const { step } = event.data
  if (event.type === 'CompensationRequested') {
    return { ...process, compensation: { ...compensation, attempts: event.data.attempt } }
  }
  const next = { ...compensation, queue: compensation.queue.slice(1), attempts: 0 }
  if (event.type === 'StepCompensated') return { ...withStep(process, step, 'compensated'), compensation: next }
  const failed = withStep(process, step, 'compensation-failed')
  return { ...failed, compensation: { ...next, left: [...next.left, step] } }
}
