import assert from 'node:assert/strict'
import { isDuologError } from '../../src/core/errors.ts'
import { silentLogger } from '../../src/core/logger.ts'
import type { Appended } from '../../src/store/event-store.ts'
import { CheckpointGuard } from '../../src/store/kafka/checkpoint-guard.ts'
import { MemoryReplica } from '../../src/store/kafka/memory-replica.ts'
import { namesOf } from '../../src/store/kafka/names.ts'
import { OwedVersions } from '../../src/store/kafka/owed-versions.ts'
import { PartitionLog } from '../../src/store/kafka/partition-log.ts'
import { PartitionWriter } from '../../src/store/kafka/partition-writer.ts'
import { type PreparedAppend, prepareAppend } from '../../src/store/prepare-append.ts'
import { checkWorld, type Heard } from './check-world.ts'
import { ReplicaFolders } from './replica-folders.ts'
import type { Call, Process, Schedule } from './schedules.ts'
import { type Line, type Network, openLine, SimulatedBroker } from './simulated-broker.ts'
import { inVirtualTime, seeded } from './virtual-time.ts'

/*
 * One schedule: two or three processes with real writers and replicas append to a few streams over a bad network, are frozen,
 * killed and started again, while the partition changes its leader; then the network is well, everybody finishes, and what callers heard is
 * held against the log.
 */

const TOPIC = 'session.events'
const PLACE = { topic: TOPIC, partition: 0 }
const TROUBLE_MS = 3000
const PATIENCE_MS = 400_000

export async function runSchedule(schedule: Schedule): Promise<void> {
  const random = seeded(schedule.dice)
  const folders = new ReplicaFolders(TOPIC)
  await inVirtualTime(random, async (time) => {
    const world = new World({ time, random, trouble: schedule.trouble }, schedule, folders)
    time.after(TROUBLE_MS, () => world.heal())
    const work = world.run()
    const ending = { done: false }
    const settled = Promise.allSettled([work]).finally(() => {
      ending.done = true
    })
    assert.ok(await time.run(() => ending.done, PATIENCE_MS), 'every append and every read is answered')
    await settled
    await work
    world.check()
  }).finally(() => folders.remove())
}

interface Opened {
  readonly log: PartitionLog
  readonly writer: PartitionWriter
}

/** What a process has to do, in this life and the next. */
interface Asked {
  readonly call: Call
  readonly append: PreparedAppend
}

class World {
  readonly #network: Network
  readonly #broker: SimulatedBroker
  readonly #schedule: Schedule
  readonly #folders: ReplicaFolders
  readonly #heard: Heard[] = []
  /** Per stream, what anyone heard so far: no later answer may lie before it. */
  readonly #floor = new Map<string, number>()
  #ids = 0

  constructor(network: Network, schedule: Schedule, folders: ReplicaFolders) {
    this.#network = network
    this.#schedule = schedule
    this.#folders = folders
    this.#broker = new SimulatedBroker(network)
  }

  heal(): void {
    this.#network.trouble = 0
  }

  async run(): Promise<void> {
    const { time } = this.#network
    const { processes, leaderChanges } = this.#schedule
    for (const change of leaderChanges) time.after(change.atMs, () => this.#broker.changeLeader(PLACE, change))
    await Promise.all(processes.map((process, index) => this.#live(process, index)))
  }

  check(): void {
    const { isolations } = this.#schedule
    checkWorld({
      broker: this.#broker,
      topic: TOPIC,
      heard: this.#heard,
      floor: this.#floor,
      wasIsolated: isolations.length > 0,
    })
  }

  /** A process and, if it is killed, its successor, which repeats what was not answered and can be recognised. */
  async #live(process: Process, index: number): Promise<void> {
    const { time } = this.#network
    const calls = process.callers.map((calls) => calls.map((call) => this.#prepare(call, `p${index}`)))
    const line = openLine()
    this.#trouble(line, process, index)
    const killed = new Promise<void>((resolve) => {
      if (process.killedAtMs === undefined) return
      time.after(process.killedAtMs, () => {
        line.cut = true
        this.#folders.kill(index)
        resolve()
      })
    })
    const open = (own: Line) => this.#openPartition(own, process, index)
    await Promise.race([this.#process(line, open(line), calls), killed])
    const next = openLine()
    if (line.cut) await this.#process(next, open(next), calls)
  }

  #trouble(line: Line, { frozen }: Process, index: number): void {
    const { time } = this.#network
    const freeze = () => {
      line.frozenUntilMs = time.nowMs + (frozen?.forMs ?? 0)
    }
    if (frozen !== undefined) time.after(frozen.atMs, freeze)
    for (const { atMs, forMs, process } of this.#schedule.isolations) {
      if (process === index) time.after(atMs, () => this.#broker.isolate(line, PLACE, forMs))
    }
  }

  async #process(line: Line, { log, writer }: Opened, calls: readonly (readonly Asked[])[]): Promise<void> {
    await Promise.all(
      calls.map(async (mine) => {
        for (const { call, append } of mine) {
          if (this.#isOver(append)) continue
          await this.#append(writer, append, line)
          if (call.readsAfter) await this.#read(log, append.stream, line)
        }
      }),
    )
    await writer.close()
    log.close()
  }

  #openPartition(line: Line, { watches, replica: kind }: Process, index: number): Opened {
    const names = namesOf('', TOPIC)
    const reader = () => this.#broker.openReader(line, { watches })
    const replica = kind === 'file' ? this.#folders.open(index) : new MemoryReplica()
    const log = new PartitionLog({
      topic: TOPIC,
      logicalTopic: TOPIC,
      partition: 0,
      partitionCount: 1,
      reader: reader(),
      replica,
      logger: silentLogger,
      owed: new OwedVersions(),
      askEnd: async () => 0,
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

  #prepare(call: Call, process: string): Asked {
    const { stream, key, expected } = call
    const id = this.#ids++
    const count = call.events
    const events = Array.from({ length: count }, () => ({ type: 'A', data: id }))
    const outgoing = call.sends || count === 0 ? [{ topic: 'tasks', key: stream, type: 'T', data: id }] : []
    const idempotencyKey = key === 'own' ? `${process}-${id}` : `shared-${key}`
    const context = { eventTopic: TOPIC, clock: { now: () => 0 }, random: randomBytes(this.#network.random) }
    const options = {
      outgoing,
      ...(key !== 'none' && count > 0 && { idempotencyKey }),
      ...(expected !== undefined && { expectedStreamVersion: expected }),
      ...(call.checkpoint && { checkpoint: { group: process, topic: 'jobs', partition: 0, offset: id } }),
    }
    return { call, append: prepareAppend(stream, events, options, context) }
  }

  async #append(writer: PartitionWriter, append: PreparedAppend, line: Line): Promise<void> {
    const heard: Heard = { append }
    const askedAtMs = this.#network.time.nowMs
    const floor = this.#floor.get(append.stream) ?? 0
    this.#heard.push(heard)
    try {
      const appended = await writer.append(append)
      if (line.cut) return
      heard.outcome = { appended }
      if (!appended.repeated && append.events.length > 0)
        assert.ok(appended.firstStreamPosition > floor, 'W2 nothing is written before what was heard')
      checkAnswer(append, appended, { asked: this.#heard.filter((one) => sameKey(one.append, append)).length })
      this.#atLeast(append.stream, appended.currentStreamVersion)
    } catch (error) {
      if (line.cut) return
      heard.outcome = { error }
      if (!isDuologError(error, 'EXPECTED_VERSION_CONFLICT')) throw error
      const { current } = error as Error & { current?: number }
      assert.ok(
        (current ?? -1) >= floor || this.#broker.hidSince(askedAtMs),
        'W3 a refusal knows what was heard before',
      )
    }
  }

  /** In its former life. To ask once more is another question, and what cannot be recognised is not repeated. */
  #isOver(append: PreparedAppend): boolean {
    const before = this.#heard.filter((heard) => heard.append === append)
    const refused = before.some(({ outcome }) => outcome !== undefined && 'error' in outcome)
    return refused || (append.idempotencyKey === undefined && before.length > 0)
  }

  async #read(log: PartitionLog, stream: string, line: Line): Promise<void> {
    const askedAtMs = this.#network.time.nowMs
    const floor = this.#floor.get(stream) ?? 0
    await log.catchUp()
    if (line.cut) return
    const version = log.facts(stream).currentVersion()
    assert.ok(
      version >= floor || this.#broker.hidSince(askedAtMs),
      `a read of ${stream} sees what was heard before: ${version} of ${floor}`,
    )
    this.#atLeast(stream, version)
  }

  #atLeast(stream: string, version: number): void {
    this.#floor.set(stream, Math.max(version, this.#floor.get(stream) ?? 0))
  }
}

function sameKey(one: PreparedAppend, other: PreparedAppend): boolean {
  return one.stream === other.stream && one.idempotencyKey === other.idempotencyKey
}

function checkAnswer(append: PreparedAppend, appended: Appended, { asked }: { readonly asked: number }): void {
  if (appended.repeated) {
    assert.ok(append.idempotencyKey !== undefined && asked > 1, 'P5 nobody is told of a repeat who asked once')
  } else if (typeof append.expected === 'number') {
    assert.equal(appended.firstStreamPosition, append.expected + 1, 'the version was as expected')
  }
}

function randomBytes(random: () => number) {
  return (count: number) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256))
}
