import type { Decider } from '../core/decider.ts'
import { DuologError } from '../core/errors.ts'
import type { AnyEvent, OutgoingMessage } from '../core/event.ts'
import { guarded } from './guarded-manager.ts'
import type { ProcessEvent } from './process-events.ts'
import type { Compensation, ProcessAction, ProcessManager, ProcessMessage } from './process-manager.ts'
import {
  answerTimer,
  evolveProcess,
  initialProcess,
  isEnded,
  ownTimer,
  type ProcessState,
  retryTimer,
  stepTimer,
} from './process-state.ts'
import { shortKey } from './short-key.ts'

/*
 * A process manager as a decider: what was heard, and all that follows from it, is one append.
 *
 * P1 Pure; time comes in with the command. P5 What was done is in the state: the same command again is nothing to do.
 */

/** What can happen to a process: an event it listens to, or a timer that is due. */
export type ProcessCommand =
  | {
      readonly kind: 'observe'
      readonly event: { readonly eventId: string; readonly type: string; readonly data: unknown }
      readonly nowMs: number
    }
  | { readonly kind: 'timer'; readonly timer: string; readonly nowMs: number }
  /** Schedules a pending timer once more, for the same time: at the log's end it is found sooner. */
  | { readonly kind: 'carry'; readonly timer: string; readonly nowMs: number }

/** For given/when/then, and for `createCommandHandler`. */
export function processDecider<State, E extends AnyEvent>(
  definition: ProcessManager<State, E>,
): Decider<ProcessState<State>, ProcessCommand, ProcessEvent> {
  const manager = guarded(definition)
  return {
    initialState: () => initialProcess(manager.initialState()),
    evolve: (state, event) => evolveProcess(manager, state, event),
    decide: (command, state) => new Decision(manager, state, command.nowMs).of(command),
  }
}

/** Of a process: the messages that leave with what it decided. */
export type MessagesOf<State> = (process: {
  readonly stream: string
  readonly correlationId: string
}) => (events: readonly ProcessEvent[], state: ProcessState<State>) => readonly OutgoingMessage[]

export function messagesOf<State, E extends AnyEvent>(definition: ProcessManager<State, E>): MessagesOf<State> {
  const manager = guarded(definition)
  return ({ stream, correlationId }) => {
    const outgoing = (id: string, { topic, key = correlationId, type, data }: ProcessMessage): OutgoingMessage => {
      return { topic, key, type, data, eventId: shortKey(`${stream}/${id}`), correlationId }
    }
    return (events, { state }) =>
      events.flatMap(({ type, data }) => {
        if (type === 'MessageSent') return [outgoing(`send/${data.id}`, toMessage(data.message))]
        if (type === 'StepStarted')
          return commandOf(manager.steps[data.step], (command) => outgoing(data.step, command(state)))
        if (type !== 'CompensationRequested') return []
        const { step, attempt } = data
        const compensation = manager.steps[step]?.compensation
        return commandOf(compensation, (command) => outgoing(`undo/${step}/${attempt}`, command(state)))
      })
  }
}

function commandOf<State>(
  step: { readonly command: (state: State) => ProcessMessage } | undefined,
  make: (command: (state: State) => ProcessMessage) => OutgoingMessage,
): readonly OutgoingMessage[] {
  return step === undefined ? [] : [make(step.command)]
}

function toMessage({
  key,
  ...message
}: {
  topic: string
  key?: string | undefined
  type: string
  data: unknown
}): ProcessMessage {
  return { ...message, ...(key !== undefined && { key }) }
}

const DEFAULT_ANSWER_MS = 30_000
const DEFAULT_ATTEMPTS = 3
const DEFAULT_RETRY_MS = 1000
/** Rounds of `nextActions` per append; a definition that never has enough asks for something new each time. */
const MAX_ROUNDS = 100

class Decision<State, E extends AnyEvent> {
  readonly #manager: ProcessManager<State, E>
  readonly #nowMs: number
  readonly #events: ProcessEvent[] = []
  #process: ProcessState<State>

  constructor(manager: ProcessManager<State, E>, process: ProcessState<State>, nowMs: number) {
    this.#manager = manager
    this.#process = process
    this.#nowMs = nowMs
  }

  of(command: ProcessCommand): readonly ProcessEvent[] {
    if (isEnded(this.#process)) return []
    if (command.kind === 'carry') return this.#carry(command.timer)
    if (command.kind === 'observe') this.#observe(command.event)
    else if (!this.#fire(command.timer)) return []
    this.#settle()
    return this.#events
  }

  #add(event: ProcessEvent): void {
    this.#events.push(event)
    this.#process = evolveProcess(this.#manager, this.#process, event)
  }

  #observe(event: { readonly eventId: string; readonly type: string; readonly data: unknown }): void {
    const { eventId, type, data } = event
    this.#add({ type: 'ProcessObserved', data: { eventId, type, data } })
    if (this.#process.status === 'compensating') this.#hearUndone(type)
    else this.#hearSteps(type)
  }

  #hearSteps(type: string): void {
    for (const [step, { doneBy, failedBy = [] }] of Object.entries(this.#manager.steps)) {
      const status = this.#process.steps[step]
      if (status !== 'started' && status !== 'timed-out') continue
      if (doneBy.includes(type)) this.#add({ type: 'StepCompleted', data: { step } })
      else if (failedBy.includes(type)) this.#add({ type: 'StepFailed', data: { step } })
      else continue
      this.#cancel(stepTimer(step))
    }
  }

  #hearUndone(type: string): void {
    const [step = ''] = this.#process.compensation?.queue ?? []
    const { doneBy = [], failedBy = [] } = this.#manager.steps[step]?.compensation ?? {}
    if (doneBy.includes(type)) this.#undone(step)
    else if (failedBy.includes(type) && this.#isPending(answerTimer(step))) this.#attemptFailed(step, type)
  }

  #undone(step: string): void {
    this.#cancel(answerTimer(step))
    this.#cancel(retryTimer(step))
    this.#add({ type: 'StepCompensated', data: { step } })
  }

  #attemptFailed(step: string, reason: string): void {
    this.#cancel(answerTimer(step))
    this.#add({ type: 'CompensationAttemptFailed', data: { step, reason } })
    const { maxAttempts = DEFAULT_ATTEMPTS, retryAfterMs = DEFAULT_RETRY_MS } = this.#compensation(step)
    const { attempts = 0 } = this.#process.compensation ?? {}
    if (attempts >= maxAttempts) this.#add({ type: 'CompensationFailed', data: { step, attempts } })
    else this.#schedule(retryTimer(step), retryAfterMs * 2 ** (attempts - 1))
  }

  #carry(timer: string): readonly ProcessEvent[] {
    const dueAtMs = this.#process.pending[timer]
    return dueAtMs === undefined ? [] : [{ type: 'TimerScheduled', data: { timer, dueAtMs } }]
  }

  /** False when there is no such timer, or it is not due: somebody else was faster. */
  #fire(timer: string): boolean {
    const dueAtMs = this.#process.pending[timer]
    if (dueAtMs === undefined || dueAtMs > this.#nowMs) return false
    this.#add({ type: 'TimerFired', data: { timer } })
    const step = timer.slice(timer.indexOf('/') + 1)
    if (timer === stepTimer(step)) this.#add({ type: 'StepTimedOut', data: { step } })
    if (timer === answerTimer(step)) this.#attemptFailed(step, 'no answer')
    if (timer === retryTimer(step)) this.#request(step)
    return true
  }

  #settle(): void {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const before = this.#events.length
      if (this.#process.status === 'running') this.#act()
      if (this.#process.status === 'compensating') this.#undo()
      if (this.#events.length === before || isEnded(this.#process)) return
    }
    throw neverEnough(this.#manager.name)
  }

  #act(): void {
    for (const action of this.#manager.nextActions(this.#process.state, this.#process)) {
      if (this.#process.status === 'running') this.#perform(action)
    }
  }

  #perform(action: ProcessAction): void {
    switch (action.kind) {
      case 'start':
        this.#start(action.step)
        return
      case 'send':
        if (!this.#process.sent.includes(action.id))
          this.#add({ type: 'MessageSent', data: { id: action.id, message: action.message } })
        return
      case 'schedule':
        if (this.#process.timers[action.timer] === undefined) this.#schedule(ownTimer(action.timer), action.afterMs)
        return
      case 'cancel':
        this.#cancel(ownTimer(action.timer))
        return
      case 'compensate':
        this.#compensate(action.reason)
        return
      case 'complete':
        this.#cancelAll()
        this.#add({ type: 'ProcessCompleted', data: {} })
    }
  }

  #start(step: string): void {
    const definition = this.#manager.steps[step]
    if (definition === undefined) throw noStep(this.#manager.name, step)
    if (this.#process.steps[step] !== undefined) return
    this.#add({ type: 'StepStarted', data: { step } })
    if (definition.timeoutMs !== undefined) this.#schedule(stepTimer(step), definition.timeoutMs)
  }

  /** The last one first: what was done, and what may have been. */
  #compensate(reason: string): void {
    this.#cancelAll()
    const steps = this.#process.started.filter(
      (step) => this.#process.steps[step] !== 'failed' && this.#manager.steps[step]?.compensation !== undefined,
    )
    this.#add({ type: 'CompensationStarted', data: { reason, steps: steps.toReversed() } })
  }

  #undo(): void {
    const { queue = [], attempts = 0, left = [] } = this.#process.compensation ?? {}
    const [step] = queue
    if (step === undefined) this.#add({ type: 'ProcessCompensated', data: { left: [...left] } })
    else if (attempts === 0) this.#request(step)
  }

  #request(step: string): void {
    const attempt = (this.#process.compensation?.attempts ?? 0) + 1
    this.#add({ type: 'CompensationRequested', data: { step, attempt } })
    this.#schedule(answerTimer(step), this.#compensation(step).timeoutMs ?? DEFAULT_ANSWER_MS)
  }

  #compensation(step: string): Partial<Compensation<State>> {
    return this.#manager.steps[step]?.compensation ?? {}
  }

  #isPending(timer: string): boolean {
    return this.#process.pending[timer] !== undefined
  }

  #schedule(timer: string, afterMs: number): void {
    this.#add({ type: 'TimerScheduled', data: { timer, dueAtMs: this.#nowMs + afterMs } })
  }

  #cancel(timer: string): void {
    if (this.#isPending(timer)) this.#add({ type: 'TimerCancelled', data: { timer } })
  }

  #cancelAll(): void {
    for (const timer of Object.keys(this.#process.pending)) this.#cancel(timer)
  }
}

function neverEnough(name: string): DuologError {
  return new DuologError(
    'PROCESS_INVALID',
    `nextActions of process manager "${name}" asked for something new ${MAX_ROUNDS} times in a row: give what it sends and ` +
      'schedules ids that depend on the state only.',
  )
}

function noStep(name: string, step: string): DuologError {
  return new DuologError('PROCESS_INVALID', `Process manager "${name}" has no step "${step}"; nextActions asks for it.`)
}
