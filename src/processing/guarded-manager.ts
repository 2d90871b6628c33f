import { DuologError, isDuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import { type Names, strangerIn, unknownName } from '../core/known-names.ts'
import { messageOf } from '../core/message-of.ts'
import { describe } from '../store/check-arguments.ts'
import { type LongCallOptions, watched } from './long-call.ts'
import type { ProcessAction, ProcessManager, ProcessMessage, ProcessStep } from './process-manager.ts'

/*
 * A process manager whose functions throw PROCESS_INVALID and nothing else, also where they answer nonsense: what is the
 * definition's fault is told from what is the log's, and nothing is ignored.
 */

/** `watch`: hears of a function that kept the event loop from turning. */
export function guarded<State, E extends AnyEvent>(
  manager: ProcessManager<State, E>,
  watch?: LongCallOptions,
): ProcessManager<State, E> {
  const { name } = manager
  const called = callerOf(name, watch)
  const guardStep = (step: string, definition: ProcessStep<State>) =>
    guardedStep(definition, { manager: name, step, called })
  const steps = Object.entries(manager.steps).map(([step, definition]) => [step, guardStep(step, definition)])
  return {
    ...manager,
    correlate: (event) => {
      const id: unknown = called('correlate', () => manager.correlate(event), event)
      if (id === undefined || (typeof id === 'string' && id.length > 0)) return id
      throw nonsense(name, 'correlate', `${describe(id)}, not the id of a process or nothing (undefined)`)
    },
    evolve: (state, event) => {
      const next = called('evolve', () => manager.evolve(state, event), event)
      if (isPromise(next)) throw nonsense(name, 'evolve', 'a promise: it must not be async')
      if (next === undefined && state !== undefined) throw nonsense(name, 'evolve', 'nothing')
      return next
    },
    nextActions: (state, progress) => {
      const actions: unknown = called('nextActions', () => manager.nextActions(state, progress))
      if (!Array.isArray(actions)) throw nonsense(name, 'nextActions', `${describeAnswer(actions)}, not a list`)
      for (const action of actions) checkAction(name, action)
      return actions as readonly ProcessAction[]
    },
    steps: Object.fromEntries(steps) as ProcessManager<State, E>['steps'],
  }
}

interface Guard {
  readonly manager: string
  readonly step: string
  readonly called: Called
}

function guardedStep<State>(step: ProcessStep<State>, { manager, step: name, called }: Guard): ProcessStep<State> {
  const { compensation } = step
  const guard = (what: string, command: ProcessStep<State>['command']) => (state: State) => {
    const message: unknown = called(what, () => command(state))
    checkMessage(manager, what, message)
    return message
  }
  return {
    ...step,
    command: guard(`the command of step "${name}"`, step.command),
    ...(compensation && {
      compensation: {
        ...compensation,
        command: guard(`the compensation of step "${name}"`, compensation.command),
      },
    }),
  }
}

const KINDS: readonly unknown[] = ['start', 'send', 'schedule', 'cancel', 'compensate', 'complete']

function checkAction(manager: string, given: unknown): asserts given is ProcessAction {
  const action = (given ?? {}) as Readonly<Record<string, unknown>>
  const { kind } = action
  const refuse = (what: string) => nonsense(manager, 'nextActions', what)
  if (!KINDS.includes(kind)) throw refuse(`an action of kind ${describe(kind)}; there are ${KINDS.join(', ')}`)
  const text = { start: 'step', send: 'id', schedule: 'timer', cancel: 'timer', compensate: 'reason' }[String(kind)]
  if (text !== undefined && typeof action[text] !== 'string') {
    throw refuse(`${kind} with ${text} ${describe(action[text])}, not text`)
  }
  if (kind === 'schedule' && !Number.isFinite(action.afterMs)) {
    throw refuse(`schedule with afterMs ${describe(action.afterMs)}, not milliseconds`)
  }
  if (kind === 'send') checkMessage(manager, `nextActions, sending "${action.id}"`, action.message)
}

const MESSAGE: Names<ProcessMessage> = { topic: true, key: true, type: true, data: true }

function checkMessage(manager: string, what: string, given: unknown): asserts given is ProcessMessage {
  const { topic, type } = (given ?? {}) as Readonly<Record<string, unknown>>
  if (typeof topic === 'string' && typeof type === 'string') {
    const stranger = strangerIn(given as ProcessMessage, MESSAGE)
    if (stranger === undefined) return
    throw nonsense(manager, what, `a message with what nobody sends: ${unknownName(stranger, MESSAGE)}`)
  }
  throw nonsense(manager, what, `${describeAnswer(given)}, not a message with topic, type and data`)
}

/** `at`: the event it is called for. */
type Called = <T>(what: string, call: () => T, at?: { readonly type: string }) => T

function callerOf(manager: string, watch?: LongCallOptions): Called {
  return (what, call, at) => {
    try {
      if (watch === undefined) return call()
      return watched(() => `${what} of process manager "${manager}"${at ? ` at ${at.type}` : ''}`, call, watch)
    } catch (error) {
      if (isDuologError(error, 'PROCESS_INVALID')) throw error
      const said = messageOf(error)
      throw new DuologError('PROCESS_INVALID', `${what} of process manager "${manager}" threw: ${said}`, {
        cause: error,
      })
    }
  }
}

function nonsense(manager: string, what: string, answer: string): DuologError {
  return new DuologError('PROCESS_INVALID', `${what} of process manager "${manager}" answered ${answer}.`)
}

function describeAnswer(given: unknown): string {
  return isPromise(given) ? 'a promise' : describe(given)
}

function isPromise(value: unknown): boolean {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === 'function'
}
