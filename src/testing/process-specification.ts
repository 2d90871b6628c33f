import assert from 'node:assert/strict'
import type { AnyEvent } from '../core/event.ts'
import { messagesOf, type ProcessCommand, processDecider } from '../processing/process-decider.ts'
import type { ProcessEvent } from '../processing/process-events.ts'
import type { ProcessManager } from '../processing/process-manager.ts'
import type { ProcessState } from '../processing/process-state.ts'
import { deepFreeze } from './deep-freeze.ts'

/*
 * Given what a process heard, when it hears this (or time goes by), then it sends that: a process manager's test without a
 * log. Timers fire as time goes on, in the order they are due.
 */

/** What happens to a process: it hears an event, or so much time goes by. */
export type ProcessHappening<E extends AnyEvent> = E | { readonly afterMs: number }

/** What may be said about the last happening. */
export interface ProcessOutcome<State> {
  /** Exactly these messages leave, in this order, by type; with `data` where it is given. */
  thenSends(...expected: readonly (string | { readonly type: string; readonly data?: unknown })[]): void
  /** Nothing leaves, and no step starts or ends. */
  thenNothingHappened(): void
  /** The process's state has these fields, as deep as they are given. */
  thenState(expected: DeepPartial<ProcessState<State>>): void
  /** Everything that was appended, for what the others do not say. */
  readonly events: readonly ProcessEvent[]
  /** The process after the last happening. */
  readonly state: ProcessState<State>
}

/** Some of a state, at any depth. */
export type DeepPartial<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [K in keyof T]?: DeepPartial<T[K]> }
    : T

/**
 * @example
 * const given = ProcessSpecification.for(fulfilment)
 * given(placed).when(paid).thenSends('ShipOrder')
 * given(placed).when({ afterMs: 30_000 }).thenSends('RefundPayment')
 */
export const ProcessSpecification = {
  /** Begins a test of this process manager. */
  for<State, E extends AnyEvent>(manager: ProcessManager<State, E>) {
    return (...history: readonly ProcessHappening<E>[]) => ({
      when: (happening: ProcessHappening<E>): ProcessOutcome<State> => {
        const run = new Run(manager)
        for (const each of history) run.happen(each)
        return outcome(run.happen(happening), run.state)
      },
    })
  },
}

interface Happened {
  readonly events: readonly ProcessEvent[]
  readonly sent: readonly { readonly type: string; readonly data: unknown }[]
}

class Run<State, E extends AnyEvent> {
  state: ProcessState<State>
  readonly #manager: ProcessManager<State, E>
  #nowMs = 0
  #heard = 0

  constructor(manager: ProcessManager<State, E>) {
    this.#manager = manager
    this.state = deepFreeze(processDecider(manager).initialState())
  }

  happen(happening: ProcessHappening<E>): Happened {
    if (!('type' in happening)) return this.#wait(happening.afterMs)
    const { type, data } = happening
    return this.#handle({ kind: 'observe', event: { eventId: `e${++this.#heard}`, type, data }, nowMs: this.#nowMs })
  }

  #wait(afterMs: number): Happened {
    const untilMs = this.#nowMs + afterMs
    const happened: Happened[] = []
    for (let timer = this.#next(untilMs); timer !== undefined; timer = this.#next(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, this.state.pending[timer] ?? 0)
      happened.push(this.#handle({ kind: 'timer', timer, nowMs: this.#nowMs }))
    }
    this.#nowMs = untilMs
    return { events: happened.flatMap(({ events }) => events), sent: happened.flatMap(({ sent }) => sent) }
  }

  #next(untilMs: number): string | undefined {
    const due = Object.entries(this.state.pending).filter(([, dueAtMs]) => dueAtMs <= untilMs)
    return due.sort(([, a], [, b]) => a - b)[0]?.[0]
  }

  #handle(command: ProcessCommand): Happened {
    const decider = processDecider(this.#manager)
    const events = decider.decide(deepFreeze(command), this.state)
    assert.deepEqual(
      decider.decide(command, this.state),
      events,
      'nextActions is not pure: asked twice, it answered differently',
    )
    this.state = events.reduce((state, event) => deepFreeze(decider.evolve(state, deepFreeze(event))), this.state)
    const place = { stream: `${this.#manager.name}:id`, correlationId: 'id' }
    return { events, sent: messagesOf(this.#manager)(place)(events, this.state) }
  }
}

const QUIET: ReadonlySet<string> = new Set(['ProcessObserved'])

function outcome<State>({ events, sent }: Happened, state: ProcessState<State>): ProcessOutcome<State> {
  return {
    events,
    state,
    thenSends: (...expected) => {
      const wanted = expected.map((each) => (typeof each === 'string' ? { type: each } : each))
      const shown = sent.map(({ type, data }, index) => (wanted[index]?.data === undefined ? { type } : { type, data }))
      assert.deepEqual(shown, wanted)
    },
    thenNothingHappened: () =>
      assert.deepEqual(
        events.filter(({ type }) => !QUIET.has(type)),
        [],
      ),
    thenState: (expected) => assert.partialDeepStrictEqual(state, expected),
  }
}
