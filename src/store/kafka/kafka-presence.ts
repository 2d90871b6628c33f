import { randomUUID } from 'node:crypto'
import type { Logger } from '../../core/logger.ts'
import { type KafkaDriver, KafkaError, type PartitionReader } from '../../kafka/driver.ts'
import type { Announcement, Liveness, Presence } from '../event-store.ts'
import { pause } from '../wake-ups.ts'
import { PresenceBoard } from './presence-board.ts'
import { storeClosed } from './store-errors.ts'
import { type Witness, Witnesses } from './witnesses.ts'

/*
 * Who is alive, by heartbeats on a small topic whose times are the broker's: no two clocks are ever compared. A process
 * beats while it has owners to announce, and when it wants to know about others, to have a "now" of the broker. Of a process
 * of this machine the kernel knows at once that it ended (witnesses.ts), and who asks says so to all others.
 */

const BEATS_PER_LEASE = 5
const LONGEST_BEAT_MS = 1000
/** Whoever asked about others goes on beating for so long: a verdict needs an unbroken row of beats. */
const CURIOUS_MS = 30_000
/** How much history is read at the start: enough for the last lease of a few hundred processes. */
const HISTORY_RECORDS = 5000

export interface PresenceOptions {
  readonly driver: KafkaDriver
  readonly topic: string
  readonly leaseMs: number
  readonly logger: Logger
  /** Default: of this machine. */
  readonly witnesses?: Witnesses
}

export class KafkaPresence implements Presence {
  readonly #options: PresenceOptions
  readonly #process = randomUUID()
  readonly #owners = new Map<string, number>()
  readonly #board: PresenceBoard
  readonly #witnesses: Witnesses
  readonly #beatMs: number
  readonly #stop = new AbortController()
  #beating: Promise<void> | undefined
  #reader: PartitionReader | undefined
  #position: number | undefined
  #curiousUntil = 0
  #lastBeatAt = Number.NEGATIVE_INFINITY
  #looking: Promise<void> | undefined

  constructor(options: PresenceOptions) {
    this.#options = options
    this.#witnesses = options.witnesses ?? new Witnesses(options.logger)
    this.#beatMs = Math.min(LONGEST_BEAT_MS, options.leaseMs / BEATS_PER_LEASE)
    this.#board = new PresenceBoard({ leaseMs: options.leaseMs, graceMs: 2 * this.#beatMs, gapMs: 3 * this.#beatMs })
  }

  async announce(owner: string): Promise<Announcement> {
    this.#owners.set(owner, (this.#owners.get(owner) ?? 0) + 1)
    await this.#beat()
    this.#beating ??= this.#keepBeating()
    let withdrawn = false
    return {
      withdraw: async () => {
        if (withdrawn) return
        withdrawn = true
        await this.#withdraw(owner)
      },
    }
  }

  async liveness(owner: string): Promise<Liveness> {
    if (this.#owners.has(owner)) return 'alive'
    this.#curiousUntil = performance.now() + CURIOUS_MS
    this.#beating ??= this.#keepBeating()
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    await this.#looking
    const verdict = this.#board.liveness(owner)
    return verdict !== 'dead' && (await this.#isSeenDead(owner)) ? 'dead' : verdict
  }

  async #isSeenDead(owner: string): Promise<boolean> {
    const witnesses = this.#board.witnessesOf(owner) ?? []
    const verdicts = await Promise.all(witnesses.map((witness) => this.#witnesses.saysDead(witness)))
    if (verdicts.length === 0 || verdicts.includes(false)) return false
    await this.#send({ withdrawn: [owner] }).catch(() => {}) // for those elsewhere; they have the lease
    return true
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#beating
    const owners = [...this.#owners.keys()]
    this.#owners.clear()
    if (owners.length > 0) await this.#send({ withdrawn: owners }).catch(() => {})
    this.#witnesses.release()
    await this.#reader?.close()
  }

  async #withdraw(owner: string): Promise<void> {
    const left = (this.#owners.get(owner) ?? 1) - 1
    if (left > 0) {
      this.#owners.set(owner, left)
      return
    }
    if (this.#owners.delete(owner)) await this.#send({ withdrawn: [owner] })
  }

  async #keepBeating(): Promise<void> {
    const { logger } = this.#options
    while (!this.#stop.signal.aborted) {
      await pause(this.#beatMs, this.#stop.signal)
      const needed = this.#owners.size > 0 || performance.now() < this.#curiousUntil
      if (this.#stop.signal.aborted || !needed) continue
      await this.#beat().catch((error: unknown) => {
        logger.warn(
          { error: String(error) },
          'A heartbeat did not reach the broker; others may take this process for dead',
        )
      })
    }
  }

  async #beat(): Promise<void> {
    this.#lastBeatAt = performance.now()
    const owners = [...this.#owners.keys()]
    const witness = owners.length > 0 ? await this.#witnesses.hold() : undefined
    this.#witnesses.touch()
    await this.#send({ owners, ...(witness && { witness }) })
  }

  async #send(body: {
    readonly owners?: readonly string[]
    readonly withdrawn?: readonly string[]
    readonly witness?: Witness
  }): Promise<void> {
    const { driver, topic } = this.#options
    const key = Buffer.from(this.#process)
    await driver.produce([{ topic, partition: 0, key, value: Buffer.from(JSON.stringify(body)), headers: {} }])
  }

  /** Brings the board up to the broker's now. */
  async #look(): Promise<void> {
    if (performance.now() - this.#lastBeatAt > this.#beatMs) await this.#beat()
    const { driver, topic } = this.#options
    const end = await driver.offsetOf({ topic, partition: 0 }, 'latest')
    if (this.#stop.signal.aborted) throw storeClosed()
    this.#reader ??= driver.openReader()
    this.#position ??= await this.#firstPosition(end)
    while (this.#position < end) this.#position = await this.#read(this.#reader, this.#position)
    this.#board.beginWatching()
  }

  async #firstPosition(end: number): Promise<number> {
    const { driver, topic } = this.#options
    const earliest = await driver.offsetOf({ topic, partition: 0 }, 'earliest')
    const from = Math.max(earliest, end - HISTORY_RECORDS)
    if (from === 0) this.#board.sawTheBeginning()
    return from
  }

  async #read(reader: PartitionReader, position: number): Promise<number> {
    const { driver, topic } = this.#options
    try {
      const [fetched] = await reader.fetch([{ topic, partition: 0, offset: position }], { maxWaitMs: 0 })
      for (const record of fetched?.records ?? []) this.#board.take(record)
      return fetched?.nextOffset ?? position
    } catch (error) {
      if (!(error instanceof KafkaError) || error.code === 'REFUSED') throw error
      await pause(this.#beatMs / 5)
      const outOfRange = error.code === 'OFFSET_OUT_OF_RANGE'
      return outOfRange ? await driver.offsetOf({ topic, partition: 0 }, 'earliest') : position
    }
  }
}
