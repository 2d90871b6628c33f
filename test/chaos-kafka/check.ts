import type { Ask, Line } from './journal.ts'

/*
 * Holds what an independent reader found in the log against what the writers were told. Knows nothing of duolog but
 * its promises:
 *
 * P2 an append is whole, and its message comes with it; P3 versions are 1, 2, 3 … in the order of the log; P4 what was
 * acknowledged is there, where it was said to be, and what was refused is not; P5 nothing is there twice.
 */

export interface FoundEvent {
  readonly stream: string
  readonly version: number
  readonly key: string
  readonly index: number
  readonly partition: number
  readonly offset: number
}

export interface Evidence {
  /** Each writer's lines, all its lives in a row. */
  readonly journals: readonly (readonly Line[])[]
  /** Of each partition in the order of the log. */
  readonly events: readonly FoundEvent[]
  /** The keys that messages name. */
  readonly messages: readonly string[]
}

export interface Violation {
  readonly kind:
    | 'lost'
    | 'repeated'
    | 'refused but found'
    | 'elsewhere'
    | 'torn'
    | 'gap'
    | 'order'
    | 'message'
    | 'stranger'
    | 'contradiction'
    | 'unclear'
    | 'writer'
  readonly what: string
}

export interface Counts {
  readonly asked: number
  readonly acknowledged: number
  readonly found: number
  readonly lost: number
  readonly repeated: number
  readonly refused: number
  readonly refusedButFound: number
  /** Killed before the answer was written, and not asked again; found or not, both are right. */
  readonly unanswered: number
}

interface Append {
  readonly ask: Ask
  readonly acks: number[]
  refused: boolean
}

export function check(evidence: Evidence): { readonly counts: Counts; readonly violations: readonly Violation[] } {
  const appends = new Map<string, Append>()
  const violations: Violation[] = evidence.journals.flatMap((journal) => takeIn(journal, appends))
  const found = groupByKey(evidence.events)
  for (const append of appends.values()) violations.push(...checkAppend(append, found.get(append.ask.key) ?? []))
  for (const [key, events] of found) {
    if (!appends.has(key)) violations.push({ kind: 'stranger', what: `${key} at ${placeOf(events)}: nobody asked` })
  }
  violations.push(...checkStreams(evidence.events), ...checkMessages(evidence, appends, found))
  violations.push(...evidence.journals.flatMap(checkOrder))
  return { counts: count([...appends.values()], found, violations), violations }
}

function takeIn(journal: readonly Line[], appends: Map<string, Append>): readonly Violation[] {
  const violations: Violation[] = []
  for (const line of journal) {
    const append = appends.get(line.key)
    if (line.kind === 'ask') {
      if (append === undefined) appends.set(line.key, { ask: line, acks: [], refused: false })
    } else if (line.kind === 'unclear') violations.push({ kind: 'unclear', what: `${line.key}: ${line.what}` })
    else if (append === undefined) violations.push({ kind: 'contradiction', what: `${line.key}: answered, not asked` })
    else if (line.kind === 'ack') append.acks.push(line.version)
    else append.refused = true
  }
  return violations
}

function checkAppend(append: Append, events: readonly FoundEvent[]): readonly Violation[] {
  const { ask, acks } = append
  const flaws = [flawOfAnswers(append), events.length > 0 ? flawOfPlace(append, events) : undefined]
  if (acks[0] !== undefined && events.length === 0) {
    flaws.push({ kind: 'lost', what: `acknowledged as ${ask.stream}@${acks[0]}, nowhere in the log` })
  }
  return flaws.flatMap((flaw) => (flaw === undefined ? [] : { ...flaw, what: `${ask.key}: ${flaw.what}` }))
}

/** An append has one answer, however often it is asked. */
function flawOfAnswers({ ask, acks, refused }: Append): Violation | undefined {
  if (ask.impossible && acks.length > 0) {
    return { kind: 'contradiction', what: `could not be right, acknowledged as ${acks[0]}` }
  }
  const answers = [...new Set(acks.map(String)), ...(refused ? ['refused'] : [])]
  return answers.length > 1 ? { kind: 'contradiction', what: `told ${answers.join(' and ')}` } : undefined
}

function flawOfPlace({ ask, acks, refused }: Append, events: readonly FoundEvent[]): Violation | undefined {
  const [told] = acks
  const place = placeOf(events)
  const versions = events.map(({ version }) => version)
  if (refused) return { kind: 'refused but found', what: place }
  if (new Set(events.map(({ index }) => index)).size < events.length) return { kind: 'repeated', what: place }
  if (!isWhole(ask, events)) return { kind: 'torn', what: `of ${ask.events} events: ${place}` }
  if (told !== undefined && versions.at(-1) !== told) {
    return { kind: 'elsewhere', what: `acknowledged as ${ask.stream}@${told}, found at ${place}` }
  }
  if (ask.expected === undefined || versions[0] === ask.expected + 1) return undefined
  return { kind: 'contradiction', what: `was to follow ${ask.expected}, found at ${place}` }
}

function isWhole(ask: Ask, events: readonly FoundEvent[]): boolean {
  const first = events[0]?.version ?? 0
  return (
    events.length === ask.events &&
    events.every(({ stream, index, version }, nth) => stream === ask.stream && index === nth && version === first + nth)
  )
}

/** P3, and one partition for each stream. */
function checkStreams(events: readonly FoundEvent[]): readonly Violation[] {
  const violations: Violation[] = []
  const last = new Map<string, FoundEvent>()
  for (const event of events) {
    const before = last.get(event.stream)
    if (before !== undefined && before.partition !== event.partition) {
      violations.push({ kind: 'order', what: `${placeOf([event])} and ${placeOf([before])}: two partitions` })
    }
    const next = (before?.version ?? 0) + 1
    if (event.version > next) violations.push({ kind: 'gap', what: `${placeOf([event])} comes where ${next} belongs` })
    if (event.version < next) {
      violations.push({ kind: 'order', what: `${placeOf([event])} comes where ${next} belongs` })
    }
    last.set(event.stream, event)
  }
  return violations
}

function checkMessages(
  { messages }: Evidence,
  appends: ReadonlyMap<string, Append>,
  found: ReadonlyMap<string, readonly FoundEvent[]>,
): readonly Violation[] {
  const times = new Map<string, number>()
  for (const key of messages) times.set(key, (times.get(key) ?? 0) + 1)
  const keys = new Set([...times.keys(), ...found.keys()])
  return [...keys].flatMap((key) => {
    const due = found.has(key) && appends.get(key)?.ask.message ? 1 : 0
    const there = times.get(key) ?? 0
    return there === due ? [] : [{ kind: 'message' as const, what: `${key}: ${there} messages, ${due} were due` }]
  })
}

/** What a writer asked after an answer, in the same stream, comes after it. */
function checkOrder(journal: readonly Line[]): readonly Violation[] {
  const streams = new Map<string, { readonly stream: string; readonly floor: number }>()
  const highest = new Map<string, number>()
  return journal.flatMap((line) => {
    const asked = streams.get(line.key)
    if (line.kind === 'ask') {
      if (asked === undefined) streams.set(line.key, { stream: line.stream, floor: highest.get(line.stream) ?? 0 })
      return []
    }
    if (line.kind !== 'ack' || asked === undefined) return []
    const { stream, floor } = asked
    highest.set(stream, Math.max(line.version, highest.get(stream) ?? 0))
    if (line.version > floor) return []
    return [{ kind: 'order' as const, what: `${line.key}: asked after ${stream}@${floor}, put at ${line.version}` }]
  })
}

function count(
  appends: readonly Append[],
  found: ReadonlyMap<string, readonly FoundEvent[]>,
  violations: readonly Violation[],
): Counts {
  const of = (kind: Violation['kind']) => violations.filter((violation) => violation.kind === kind).length
  return {
    asked: appends.length,
    acknowledged: appends.filter(({ acks }) => acks.length > 0).length,
    found: found.size,
    lost: of('lost'),
    repeated: of('repeated'),
    refused: appends.filter(({ refused }) => refused).length,
    refusedButFound: of('refused but found'),
    unanswered: appends.filter(({ acks, refused }) => acks.length === 0 && !refused).length,
  }
}

function groupByKey(events: readonly FoundEvent[]): Map<string, FoundEvent[]> {
  const groups = new Map<string, FoundEvent[]>()
  for (const event of events) {
    const group = groups.get(event.key)
    if (group === undefined) groups.set(event.key, [event])
    else group.push(event)
  }
  return groups
}

function placeOf(events: readonly FoundEvent[]): string {
  return events
    .map(({ stream, version, partition, offset }) => `${stream}@${version} (${partition}/${offset})`)
    .join(', ')
}
