import type { AnyEvent } from './event.ts'

/**
 * A decision as pure functions (P1): `decide` says which facts follow from a command in a state, `evolve` what the
 * state is after a fact. "Nothing to do" is an empty list; idempotence lives in `decide`.
 * After Jérémie Chassaing, "Functional Event Sourcing Decider" (2021).
 */
export interface Decider<State, Command, E extends AnyEvent = AnyEvent> {
  /** The state before the first fact. */
  readonly initialState: () => State
  /** The facts that follow from a command; an empty list means nothing to do. Throws to refuse. */
  readonly decide: (command: Command, state: State) => readonly E[]
  /** Returns the next state; must not change the one it was given. */
  readonly evolve: (state: State, event: E) => State
}

/** State is a fold over facts, nothing else. */
export function fold<State, E extends AnyEvent>(
  decider: Pick<Decider<State, never, E>, 'evolve'>,
  state: State,
  events: Iterable<E>,
): State {
  let folded = state
  for (const event of events) folded = decider.evolve(folded, event)
  return folded
}
