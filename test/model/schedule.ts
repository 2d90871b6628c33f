import assert from 'node:assert/strict'
import { isDuologError } from '../../src/core/errors.ts'
import { silentLogger } from '../../src/core/logger.ts'
import type { Appended } from '../../src/store/event-store.ts'
import { CheckpointGuard } from '../../src/store/kafka/checkpoint-guard.ts'
import { MemoryReplica } from '../../src/store/kafka/memory-replica.ts'
import { namesOf } from '../../src/store/kafka/names.ts'
import { PartitionLog } from '../../src/store/kafka/partition-log.ts'
import { PartitionWriter } from '../../src/store/kafka/partition-writer.ts'
import { type PreparedAppend, prepareAppend } from '../../src/store/prepare-append.ts'
import { type Line, type Network, SimulatedBroker } from './simulated-broker.ts'
import { inVirtualTime, seeded } from './virtual-time.ts'

/*
 * One schedule: two or three processes with real writers and replicas append to a few streams over a bad network, are
 * killed and started again; then the network is well, everybody finishes, and what callers heard is held against the log.
 */

const TOPIC = 'session.events'
const STREAMS = ['a', 'b', 'c']
const CALLERS = 3
const CALLS = 4
const TROUBLE_MS = 3000
const PATIENCE_MS = 400_000

interface Heard {
  readonly append: PreparedAppend
  outcome?: { readonly appended: Appended } | { readonly error: unknown }
}

export async function runSchedule(seed: number): Promise<void> {
  const random = seeded(seed)
  await inVirtualTime(random, async (time) => {
    const world = new World({ time, random, trouble: random() < 0.2 ? 0 : random() * 0.3 })
    time.after(TROUBLE_MS, () => world.heal())
    const work = Promise.all(Array.from({ length: 2 + Math.floor(random() * 2) }, (_, name) => world.live(`p${name}`)))
    const ending = { done: false }
    const settled = Promise.allSettled([work]).finally(() => {
      ending.done = true
    })
    assert.ok(await time.run(() => ending.done, PATIENCE_MS), 'every append and every read is answered')
    await settled
    await work
    world.check()
  })
}

class World {
  readonly #network: Network
  readonly #broker: SimulatedBroker
  readonly #heard: Heard[] = []
  /** Per stream, what anyone heard so far: no later answer may lie before it. */
  readonly #floor = new Map<string, number>()
  #ids = 0

  constructor(network: Network) {
    this.#network = network
    this.#broker = new SimulatedBroker(network)
  }

  heal(): void {
    this.#network.trouble = 0
  }

  /** A process and, if it is killed, its successor, which repeats what was not answered. */
  async live(name: string): Promise<void> {
    const { random, time } = this.#network
    const calls = Array.from({ length: CALLERS }, () => Array.from({ length: CALLS }, () => this.#newAppend(name)))
    const line: Line = { cut: false }
    const killed = new Promise<void>((resolve) => {
      if (random() > 0.4) return
      time.after(random() * 1000, () => {
        line.cut = true
        resolve()
      })
    })
    await Promise.race([this.#process(line, calls), killed])
    if (line.cut) await this.#process({ cut: false }, calls)
  }

  async #process(line: Line, calls: readonly (readonly PreparedAppend[])[]): Promise<void> {
    const { log, writer } = this.#openPartition(line)
    await Promise.all(
      calls.map(async (mine) => {
        for (const append of mine) {
          if (this.#wasRefused(append)) continue
          await this.#append(writer, append, line)
          if (this.#network.random() < 0.3) await this.#read(log, append.stream, line)
        }
      }),
    )
    await writer.close()
  }

  #openPartition(line: Line) {
    const names = namesOf('', TOPIC)
    const watches = this.#network.random() < 0.7
    const reader = () => this.#broker.openReader(line, { watches })
    const replica = new MemoryReplica()
    const log = new PartitionLog({
      topic: TOPIC,
      logicalTopic: TOPIC,
      partition: 0,
      partitionCount: 1,
      reader: reader(),
      replica,
      logger: silentLogger,
      onEvents: () => {},
    })
    const writer = new PartitionWriter({
      names,
      partition: 0,
      log,
      reader: reader(),
      writer: this.#broker.openWriter(names.transactionalId(0), line),
      logger: silentLogger,
      facts: (stream) => log.facts(stream),
      partitionOf: () => 0,
      guard: new CheckpointGuard(),
      limits: { maxAppends: 5, maxBytes: 100_000 },
    })
    return { log, writer }
  }

  #newAppend(process: string): PreparedAppend {
    const { random } = this.#network
    const stream = STREAMS[Math.floor(random() * STREAMS.length)] ?? 'a'
    const id = this.#ids++
    const shared = random() < 0.15
    const key = shared ? `shared-${Math.floor(random() * 4)}` : `${process}-${id}`
    const expected = random() < 0.4 ? { expectedStreamVersion: Math.floor(random() * 6) } : {}
    const events = Array.from({ length: 1 + Math.floor(random() * 2) }, () => ({ type: 'A', data: id }))
    const outgoing = random() < 0.2 ? [{ topic: 'tasks', key: stream, type: 'T', data: id }] : []
    const context = { eventTopic: TOPIC, clock: { now: () => 0 }, random: randomBytes(random) }
    return prepareAppend(stream, events, { idempotencyKey: key, outgoing, ...expected }, context)
  }

  async #append(writer: PartitionWriter, append: PreparedAppend, line: Line): Promise<void> {
    const heard: Heard = { append }
    const floor = this.#floor.get(append.stream) ?? 0
    this.#heard.push(heard)
    try {
      const appended = await writer.append(append)
      if (line.cut) return
      heard.outcome = { appended }
      if (!appended.repeated)
        assert.ok(appended.firstStreamPosition > floor, 'W2 nothing is written before what was heard')
      checkAnswer(append, appended, { asked: this.#heard.filter((one) => sameKey(one.append, append)).length })
      this.#atLeast(append.stream, appended.currentStreamVersion)
    } catch (error) {
      if (line.cut) return
      heard.outcome = { error }
      if (!isDuologError(error, 'EXPECTED_VERSION_CONFLICT')) throw error
      const { current } = error as Error & { current?: number }
      assert.ok((current ?? -1) >= floor, 'W3 a refusal knows what was heard before')
    }
  }

  /** In its former life. To ask once more is another question. */
  #wasRefused(append: PreparedAppend): boolean {
    return this.#heard.some(
      (heard) => heard.append === append && heard.outcome !== undefined && 'error' in heard.outcome,
    )
  }

  async #read(log: PartitionLog, stream: string, line: Line): Promise<void> {
    const floor = this.#floor.get(stream) ?? 0
    await log.catchUp()
    if (line.cut) return
    const version = log.facts(stream).currentVersion()
    assert.ok(version >= floor, `a read of ${stream} sees what was heard before: ${version} of ${floor}`)
    this.#atLeast(stream, version)
  }

  #atLeast(stream: string, version: number): void {
    this.#floor.set(stream, Math.max(version, this.#floor.get(stream) ?? 0))
  }

  check(): void {
    const log = this.#broker.committed(TOPIC, 0).map(({ record }) => ({
      stream: String(record.key),
      version: Number(record.headers['sequence-number']),
      id: String(record.headers.ce_id),
      key: String(record.headers['duolog-idempotency-key']),
    }))
    this.#checkVersions(log)
    const places = new Map(log.map(({ id, stream, version }) => [id, `${stream}@${version}`]))
    assert.equal(places.size, log.length, 'P5 no event is in the log twice')
    for (const heard of this.#heard) checkHeard(heard, places)
    this.#checkKeys(log)
    this.#checkMessages(places)
  }

  #checkVersions(log: readonly { readonly stream: string; readonly version: number }[]): void {
    const versions = new Map<string, number>()
    for (const { stream, version } of log) {
      assert.equal(version, (versions.get(stream) ?? 0) + 1, `P3 the versions of ${stream} have no gap`)
      versions.set(stream, version)
    }
    for (const [stream, floor] of this.#floor)
      assert.ok((versions.get(stream) ?? 0) >= floor, 'P4 what was heard stays')
  }

  /** Several appends may share a key: the events of one of them are there, never of two. */
  #checkKeys(log: readonly { readonly stream: string; readonly key: string; readonly id: string }[]): void {
    const owners = new Map(this.#heard.flatMap(({ append }) => append.events.map(({ eventId }) => [eventId, append])))
    const seen = new Map<string, PreparedAppend | undefined>()
    for (const { stream, key, id } of log) {
      const owner = owners.get(id)
      const first = seen.get(`${stream}/${key}`) ?? owner
      assert.equal(owner, first, `P5 the key ${key} is one fact`)
      seen.set(`${stream}/${key}`, owner)
    }
  }

  #checkMessages(places: ReadonlyMap<string, string>): void {
    const messages = this.#broker.committed('tasks', 0).map(({ record }) => String(record.headers.ce_id))
    assert.equal(new Set(messages).size, messages.length, 'P2 no message is there twice')
    for (const { append } of this.#heard) {
      const written = append.events.some(({ eventId }) => places.has(eventId))
      for (const { eventId } of append.outgoing) assert.equal(messages.includes(eventId), written, 'P2 all or nothing')
    }
  }
}

function sameKey(one: PreparedAppend, other: PreparedAppend): boolean {
  return one.stream === other.stream && one.idempotencyKey === other.idempotencyKey
}

function checkAnswer(append: PreparedAppend, appended: Appended, { asked }: { readonly asked: number }): void {
  if (appended.repeated) {
    assert.ok(asked > 1, 'P5 nobody is told of a repeat who asked once')
  } else if (typeof append.expected === 'number') {
    assert.equal(appended.firstStreamPosition, append.expected + 1, 'the version was as expected')
  }
}

function checkHeard({ append, outcome }: Heard, places: ReadonlyMap<string, string>): void {
  const found = append.events.map(({ eventId }) => places.get(eventId))
  if (outcome === undefined) {
    assert.equal(new Set(found.map((place) => place === undefined)).size, 1, 'P2 all or nothing')
    return
  }
  if ('error' in outcome) {
    assert.deepEqual(new Set(found), new Set([undefined]), 'P4 what was refused is not there')
    return
  }
  const { firstStreamPosition, repeated } = outcome.appended
  if (repeated && found[0] === undefined) return // another append with its key was first
  const expected = append.events.map((_, index) => `${append.stream}@${firstStreamPosition + index}`)
  assert.deepEqual(found, expected, 'P4 what was acknowledged is there, where the answer said')
}

function randomBytes(random: () => number) {
  return (count: number) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256))
}
