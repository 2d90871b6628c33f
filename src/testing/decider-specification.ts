import assert from 'node:assert/strict'
import { type Decider, fold } from '../core/decider.ts'
import { isDuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import { deepFreeze } from './deep-freeze.ts'

/*
 * Given what happened, when a command comes, then this happens: a decider's test without a store. It also holds the
 * decider to P1: states and commands are frozen, and `decide` must answer the same question twice alike.
 */

/** `given(events)`: the history before the command. */
export type Given<Command, E extends AnyEvent> = (events: readonly E[] | E) => {
  /** The command that comes then. */
  when(command: Command): Outcome<E>
}

/** What may be said about the outcome of a command. */
export interface Outcome<E extends AnyEvent> {
  /** Exactly these events follow. */
  then(expected: readonly E[] | E): void
  /** No event follows. */
  thenNothingHappened(): void
  /** `decide` throws: any error, one with this `code`, one whose message matches, of this class, or that passes the check. */
  thenThrows(expected?: ExpectedError): void
}

/** What an expected refusal must look like: a code, a class, or a check of its own. */
export type ExpectedError =
  | string
  | RegExp
  | (new (
      ...args: never[]
    ) => Error)
  | { readonly check: (error: unknown) => boolean }

/**
 * @example
 * const given = DeciderSpecification.for(account)
 * given([opened]).when({ type: 'Close' }).then([closed])
 * given([opened, closed]).when({ type: 'Close' }).thenNothingHappened()
 */
export const DeciderSpecification = {
  /** Begins a test of this decider. */
  for<State, Command, E extends AnyEvent>(decider: Decider<State, Command, E>): Given<Command, E> {
    return (history) => ({
      when: (command) => {
        const decide = () => decidePurely(decider, asList(history), command)
        return {
          then: (expected) => assert.deepEqual(decide(), asList(expected)),
          thenNothingHappened: () => assert.deepEqual(decide(), [], 'expected that nothing happens'),
          thenThrows: (expected) => assertThrows(decide, expected),
        }
      },
    })
  },
}

function decidePurely<State, Command, E extends AnyEvent>(
  { initialState, decide, evolve }: Decider<State, Command, E>,
  history: readonly E[],
  command: Command,
): readonly E[] {
  const frozenEvolve = (state: State, event: E) => deepFreeze(evolve(state, deepFreeze(event)))
  const state = fold({ evolve: frozenEvolve }, deepFreeze(initialState()), history)
  const events = decide(deepFreeze(command), state)
  assert.deepEqual(decide(command, state), events, 'decide is not pure: asked twice, it answered differently')
  return events
}

function assertThrows(decide: () => readonly AnyEvent[], expected: ExpectedError | undefined): void {
  let events: readonly AnyEvent[]
  try {
    events = decide()
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
    assert.ok(matches(error, expected), `expected the error ${nameOf(expected)}, got ${error}`)
    return
  }
  assert.fail(`expected an error, but this happened: ${JSON.stringify(events.map(({ type }) => type))}`)
}

function matches(error: unknown, expected: ExpectedError | undefined): boolean {
  if (expected === undefined) return true
  if (typeof expected === 'string') return isDuologError(error) && error.code === expected
  if (expected instanceof RegExp) return error instanceof Error && expected.test(error.message)
  return typeof expected === 'function' ? error instanceof expected : expected.check(error)
}

function nameOf(expected: ExpectedError | undefined): string {
  return typeof expected === 'function'
    ? expected.name
    : typeof expected === 'object' && 'check' in expected
      ? 'of the check'
      : String(expected)
}

/** A single event is a list of one. */
function asList<E extends AnyEvent>(events: readonly E[] | E): readonly E[] {
  return Array.isArray(events) ? events : [events as E]
}
