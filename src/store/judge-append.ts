import { DuologError, ExpectedVersionConflictError } from '../core/errors.ts'
import { matchesExpectedVersion } from '../core/versions.ts'
import type { Appended } from './event-store.ts'
import type { PreparedAppend } from './prepare-append.ts'

/*
 * The one decision every backing makes about an append, at the moment when nobody else can write the stream: is it a
 * repeat (P5), is it refused, or is it written next? Pure; the order of the checks is part of the port.
 */

/** What a backing knows of the append's stream at that moment. */
export interface StreamFacts {
  /** 0: no such stream. */
  currentVersion(): number
  /** Which stream positions the append with this idempotency key got. */
  positionsOfKey(idempotencyKey: string): PositionRange | undefined
  /** The stream position of the event with this id. */
  positionOfEvent(eventId: string): number | undefined
}

export interface PositionRange {
  readonly first: number
  readonly last: number
}

export type Judgement =
  /** Nothing to write: it was made before, and this is the first answer. */
  | { readonly kind: 'repeat'; readonly appended: Appended }
  | { readonly kind: 'refused'; readonly error: DuologError }
  /** Write the events at `appended.firstStreamPosition` and after; answer so when they are durable. */
  | { readonly kind: 'write'; readonly appended: Appended }

export function judgeAppend(append: PreparedAppend, facts: StreamFacts): Judgement {
  const repeat = findRepeat(append, facts)
  if (repeat === 'reused') return { kind: 'refused', error: eventIdReused(append.stream) }
  if (repeat !== undefined) return { kind: 'repeat', appended: answer(append.stream, repeat, true) }
  const current = facts.currentVersion()
  if (!matchesExpectedVersion(current, append.expected)) {
    return { kind: 'refused', error: new ExpectedVersionConflictError(append.stream, append.expected, current) }
  }
  const written = { first: current + 1, last: current + append.events.length }
  return { kind: 'write', appended: answer(append.stream, written, false) }
}

/** The answer to an append that got these positions; also for a backing that finds an append again after a doubt (P4). */
export function answer(stream: string, { first, last }: PositionRange, repeated: boolean): Appended {
  return {
    stream,
    firstStreamPosition: first,
    currentStreamVersion: last,
    createdNewStream: first === 1 && last >= 1,
    repeated,
  }
}

function findRepeat(append: PreparedAppend, facts: StreamFacts): PositionRange | 'reused' | undefined {
  const keyed = append.idempotencyKey === undefined ? undefined : facts.positionsOfKey(append.idempotencyKey)
  if (keyed !== undefined || append.givenEventIds === 0) return keyed
  const positions = append.events.map((event) => facts.positionOfEvent(event.eventId))
  if (positions.every((position) => position === undefined)) return undefined
  const first = positions[0] ?? 0
  const consecutive = first > 0 && positions.every((position, index) => position === first + index)
  return consecutive ? { first, last: first + positions.length - 1 } : 'reused'
}

function eventIdReused(stream: string): DuologError {
  return new DuologError(
    'EVENT_ID_REUSED',
    `Stream "${stream}" has some of these event ids already, but not as this append: an id belongs to one fact. ` +
      'Give new events new ids; to repeat an append, repeat all of its events in their order.',
  )
}
