import assert from 'node:assert/strict'
import type { Appended } from '../../src/store/event-store.ts'
import type { PreparedAppend } from '../../src/store/prepare-append.ts'
import type { SimulatedBroker } from './simulated-broker.ts'

/*
 * What callers heard, held against what a reader of the whole log finds.
 */

export interface Heard {
  readonly append: PreparedAppend
  outcome?: { readonly appended: Appended } | { readonly error: unknown }
}

export interface Findings {
  readonly broker: SimulatedBroker
  readonly topic: string
  readonly heard: readonly Heard[]
  readonly floor: ReadonlyMap<string, number>
  /** A process asked a leader that led no more: then a "no" may be too old. */
  readonly wasIsolated: boolean
}

interface LoggedEvent {
  readonly stream: string
  readonly version: number
  readonly id: string
  readonly key: string
}

export function checkWorld({ broker, topic, heard, floor, wasIsolated }: Findings): void {
  const log = broker.committed(topic, 0).map(({ record }) => ({
    stream: String(record.key),
    version: Number(record.headers['sequence-number']),
    id: String(record.headers.ce_id),
    key: String(record.headers['duolog-idempotency-key']),
  }))
  checkVersions(log, floor)
  const places = new Map(log.map(({ id, stream, version }) => [id, `${stream}@${version}`]))
  assert.equal(places.size, log.length, 'P5 no event is in the log twice')
  for (const one of heard) checkHeard(one, places, wasIsolated)
  checkKeys(log, heard)
  const messages = broker.committed('tasks', 0).map(({ record }) => String(record.headers.ce_id))
  checkMessages(messages, { heard, places })
  checkOffsets(broker, { heard, places })
}

function checkVersions(log: readonly LoggedEvent[], floor: ReadonlyMap<string, number>): void {
  const versions = new Map<string, number>()
  for (const { stream, version } of log) {
    assert.equal(version, (versions.get(stream) ?? 0) + 1, `P3 the versions of ${stream} have no gap`)
    versions.set(stream, version)
  }
  for (const [stream, heard] of floor) assert.ok((versions.get(stream) ?? 0) >= heard, 'P4 what was heard stays')
}

function checkHeard({ append, outcome }: Heard, places: ReadonlyMap<string, string>, wasIsolated: boolean): void {
  const found = append.events.map(({ eventId }) => places.get(eventId))
  const inLog = new Set(found.map((place) => place !== undefined))
  assert.ok(inLog.size < 2, 'P2 all or nothing')
  if (outcome === undefined) return
  if ('error' in outcome) {
    if (!wasIsolated) assert.ok(!inLog.has(true), 'P4 what was refused is not there')
    return
  }
  const { firstStreamPosition, repeated } = outcome.appended
  if (repeated && found[0] === undefined) return // another append with its key was first
  const expected = append.events.map((_, index) => `${append.stream}@${firstStreamPosition + index}`)
  assert.deepEqual(found, expected, 'P4 what was acknowledged is there, where the answer said')
}

/** Several appends may share a key: the events of one of them are there, never of two. */
function checkKeys(log: readonly LoggedEvent[], heard: readonly Heard[]): void {
  const owners = new Map(heard.flatMap(({ append }) => append.events.map(({ eventId }) => [eventId, append])))
  const seen = new Map<string, PreparedAppend | undefined>()
  for (const { stream, key, id } of log) {
    if (key === 'undefined') continue
    const owner = owners.get(id)
    const first = seen.get(`${stream}/${key}`) ?? owner
    assert.equal(owner, first, `P5 the key ${key} is one fact`)
    seen.set(`${stream}/${key}`, owner)
  }
}

type Told = Pick<Findings, 'heard'> & { readonly places: ReadonlyMap<string, string> }

function checkMessages(messages: readonly string[], { heard, places }: Told): void {
  const sent = new Set(messages)
  assert.equal(sent.size, messages.length, 'P2 no message is there twice')
  for (const { append, outcome } of heard) {
    const written = isWritten(append, places) ?? (outcome === undefined ? undefined : 'appended' in outcome)
    if (written === undefined) continue
    for (const { eventId } of append.outgoing) assert.equal(sent.has(eventId), written, 'P2 all or nothing')
  }
}

/** Nothing where there is no event to tell by. */
function isWritten({ events }: PreparedAppend, places: ReadonlyMap<string, string>): boolean | undefined {
  return events.length === 0 ? undefined : events.some(({ eventId }) => places.has(eventId))
}

/** An offset was moved by an append that is in the log, and by each of those that were acknowledged, at least so far. */
function checkOffsets(broker: SimulatedBroker, { heard, places }: Told): void {
  const { offsets } = broker
  const carriers = new Map(heard.map(({ append }) => [append.checkpoint?.offset, append]))
  for (const { offset } of offsets) {
    const append = carriers.get(offset)
    assert.ok(append !== undefined, 'an offset was asked for')
    assert.notEqual(isWritten(append, places), false, 'P2 P6 no offset without its events')
  }
  for (const { append, outcome } of heard) {
    const { checkpoint } = append
    if (checkpoint === undefined || outcome === undefined || 'error' in outcome || outcome.appended.repeated) continue
    const reached = offsets.filter(({ group }) => group === checkpoint.group).map(({ offset }) => offset)
    assert.ok(Math.max(-1, ...reached) >= checkpoint.offset, 'P2 what was acknowledged has moved its group')
  }
}
