import { describe, expect, it } from 'vitest'
import { check, type Evidence, type FoundEvent } from './check.ts'
import type { Line } from './journal.ts'

/* The judge itself, judged: each kind of broken promise planted into an honest history, and found. */

const at = { atMs: 0 }
const ask = (key: string, stream: string, more = {}): Line => ({ kind: 'ask', key, stream, events: 1, ...at, ...more })
const ack = (key: string, version: number): Line => ({ kind: 'ack', key, version, ...at })
const refused = (key: string): Line => ({ kind: 'refused', key, code: 'EXPECTED_VERSION_CONFLICT', ...at })

const found = (key: string, stream: string, version: number, index = 0): FoundEvent => ({
  key,
  stream,
  version,
  index,
  partition: 0,
  offset: version * 10,
})

const honest: Evidence = {
  journals: [
    [
      ask('a1', 's'),
      ack('a1', 1),
      ask('a2', 's', { events: 2, message: true }),
      ack('a2', 3),
      ask('a3', 's', { expected: 2 }),
      refused('a3'),
      ask('a4', 't'),
    ],
    [ask('b1', 's', { expected: 3 }), ack('b1', 4), ask('b2', 't'), ack('b2', 2)],
  ],
  events: [
    found('a1', 's', 1),
    found('a2', 's', 2, 0),
    found('a2', 's', 3, 1),
    found('a4', 't', 1),
    found('b1', 's', 4),
    found('b2', 't', 2),
  ],
  messages: ['a2'],
}

function kinds(change: Partial<Evidence>): readonly string[] {
  return check({ ...honest, ...change }).violations.map(({ kind }) => kind)
}

function without(key: string): readonly FoundEvent[] {
  return honest.events.filter((event) => event.key !== key)
}

function told(...lines: readonly Line[]): readonly (readonly Line[])[] {
  return [...honest.journals, lines]
}

describe('the judge of the chaos', () => {
  it('finds nothing wrong with an honest history, an unanswered append included', () => {
    const { counts, violations } = check(honest)
    expect(violations).toEqual([])
    expect(counts).toEqual({
      asked: 6,
      acknowledged: 4,
      found: 5,
      lost: 0,
      repeated: 0,
      refused: 1,
      refusedButFound: 0,
      unanswered: 1,
    })
  })

  it('P4 finds what was acknowledged and is lost', () => {
    expect(kinds({ events: without('b1') })).toEqual(['lost'])
    expect(check({ ...honest, events: without('b1') }).counts.lost).toBe(1)
  })

  it('P4 finds what was refused and is there', () => {
    expect(kinds({ events: [...honest.events, found('a3', 's', 5)] })).toEqual(['refused but found'])
  })

  it('P4 finds what lies elsewhere than it was said to', () => {
    expect(kinds({ journals: [honest.journals[0] ?? [], [ask('b1', 's'), ack('b1', 5), ask('b2', 't')]] })).toEqual([
      'elsewhere',
    ])
  })

  it('P5 finds what is there twice', () => {
    const { counts, violations } = check({ ...honest, events: [...honest.events, found('b1', 's', 5)] })
    expect(violations.map(({ kind }) => kind)).toEqual(['repeated'])
    expect(counts.repeated).toBe(1)
  })

  it('P3 finds a gap, a version that is there twice, and a stream in two partitions', () => {
    const [first, ...rest] = honest.events
    expect(kinds({ events: rest })).toContain('gap')
    expect(kinds({ events: [...honest.events, found('a4', 's', 4)] })).toContain('order')
    expect(kinds({ events: [first as FoundEvent, ...rest.map((event) => ({ ...event, partition: 1 }))] })).toEqual([
      'order',
    ])
  })

  it('P3 finds what was asked later and lies before', () => {
    const journal = [ask('a1', 's'), ack('a1', 2), ask('a2', 's'), ack('a2', 1)]
    const events = [found('a2', 's', 1), found('a1', 's', 2)]
    expect(kinds({ journals: [journal], events, messages: [] })).toEqual(['order'])
  })

  it('P2 finds half an append, a missing message, and one too many', () => {
    expect(kinds({ events: honest.events.filter(({ key, index }) => key !== 'a2' || index === 0) })).toContain('torn')
    expect(kinds({ messages: [] })).toEqual(['message'])
    expect(kinds({ messages: ['a2', 'a2'] })).toEqual(['message'])
    expect(kinds({ messages: ['a2', 'a3'] })).toEqual(['message'])
  })

  it('P4 P5 finds answers that contradict each other, or what was asked', () => {
    expect(kinds({ journals: told(ack('a1', 1)) })).toEqual([])
    expect(kinds({ journals: told(ack('a1', 2)) })).toEqual(['contradiction'])
    expect(kinds({ journals: told(refused('a4'), ack('a4', 1)), events: without('a4') })).toContain('contradiction')
    const impossible = [ask('c1', 't', { expected: 7, impossible: true }), ack('c1', 3)]
    expect(kinds({ journals: told(...impossible), events: [...honest.events, found('c1', 't', 3)] })).toEqual([
      'contradiction',
      'contradiction',
    ])
    expect(
      kinds({ journals: told(ask('c1', 't', { expected: 1 })), events: [...honest.events, found('c1', 't', 3)] }),
    ).toEqual(['contradiction'])
  })

  it('P4 finds an answer that says nothing, and a record nobody asked for', () => {
    expect(kinds({ journals: told({ kind: 'unclear', key: 'a4', what: 'Error: hm', ...at }) })).toEqual(['unclear'])
    expect(kinds({ events: [...honest.events, found('z9', 't', 3)] })).toEqual(['stranger'])
  })
})
