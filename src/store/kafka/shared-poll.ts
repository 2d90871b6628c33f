import type { Logger } from '../../core/logger.ts'
import { messageOf } from '../../core/message-of.ts'
import {
  type FetchedPartition,
  type KafkaDriver,
  KafkaError,
  type PartitionReader,
  type TopicPartition,
} from '../../kafka/driver.ts'
import { pause } from '../wake-ups.ts'
import { placeKey } from './names.ts'

/*
 * One long poll for many partitions.
 *
 * Where it fails nobody knows because of which: all of it are asked one by one, on connections of their own, and come
 * back when they answer. So a partition that cannot be read (denied, deleted, no leader, undecodable, out of its log's
 * range) holds up no other, and is said once for each reason.
 */

const RETRY_PAUSE_MS = 200
/** A leader that moves and a broker that restarts are nobody's concern. */
const PATIENCE_MS = 10_000

export interface Polled {
  readonly place: TopicPartition
  /** The next offset to read. */
  readonly nextOffset: number
  /** Still followed. */
  readonly isWanted: boolean
  deliver(fetched: FetchedPartition): void
  /** There is nothing at its offset: whether it will go on elsewhere is its own affair. */
  outOfRange(): Promise<void>
  /** True when somebody will hear of it; else it is logged. Once for each reason. */
  tell?(error: KafkaError): boolean
}

interface Apart {
  readonly polled: Polled
  readonly sinceMs: number
  readonly said: Set<string>
}

export class SharedPoll {
  readonly #driver: KafkaDriver
  readonly #logger: Logger
  readonly #stop = new AbortController()
  readonly #reader: PartitionReader
  readonly #apart = new Map<string, Apart>()
  readonly #onBack: () => void
  #nursing: Promise<void> | undefined

  /** `onBack` is called when one that was asked apart is to be polled with the others again. */
  constructor(driver: KafkaDriver, logger: Logger, onBack: () => void) {
    this.#driver = driver
    this.#logger = logger
    this.#onBack = onBack
    this.#reader = driver.openReader()
  }

  /** Not asked apart from the others at the moment. */
  has({ place }: Polled): boolean {
    return this.#apart.get(placeKey(place))?.polled.isWanted !== true
  }

  async fetch(polled: readonly Polled[], maxWaitMs: number): Promise<void> {
    const positions = polled.map(({ place, nextOffset }) => ({ ...place, offset: nextOffset }))
    try {
      const fetched = await this.#reader.fetch(positions, { maxWaitMs })
      const byPlace = new Map(polled.map((each) => [placeKey(each.place), each]))
      for (const each of fetched) byPlace.get(placeKey(each))?.deliver(each)
    } catch {
      if (this.#stop.signal.aborted) return
      const sinceMs = performance.now()
      for (const each of polled) this.#apart.set(placeKey(each.place), { polled: each, sinceMs, said: new Set() })
      this.#nursing ??= this.#nurse()
    }
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#nursing
    await this.#reader.close()
  }

  async #nurse(): Promise<void> {
    const reader = this.#driver.openReader()
    const { signal } = this.#stop
    while (this.#apart.size > 0 && !signal.aborted) {
      for (const [key, apart] of [...this.#apart]) {
        if (!apart.polled.isWanted) this.#apart.delete(key)
        else if (!signal.aborted) await this.#askAlone(reader, key, apart)
      }
      if (this.#apart.size > 0) await pause(RETRY_PAUSE_MS, signal)
    }
    this.#nursing = undefined
    await reader.close()
  }

  async #askAlone(reader: PartitionReader, key: string, apart: Apart): Promise<void> {
    const { polled, said } = apart
    const { place } = polled
    try {
      const [fetched] = await reader.fetch([{ ...place, offset: polled.nextOffset }], { maxWaitMs: 0 })
      this.#apart.delete(key)
      if (fetched !== undefined) polled.deliver(fetched)
      if (said.size > 0) this.#logger.info({ ...place }, 'A partition can be read again')
      this.#onBack()
    } catch (error) {
      if (error instanceof KafkaError && error.code === 'OFFSET_OUT_OF_RANGE') await polled.outOfRange().catch(() => {})
      else this.#say(apart, error)
    }
  }

  #say({ polled, sinceMs, said }: Apart, error: unknown): void {
    const passing = error instanceof KafkaError && error.code === 'UNAVAILABLE'
    if (passing && performance.now() - sinceMs < PATIENCE_MS) return
    const reason = messageOf(error)
    const key = (error instanceof KafkaError && error.type) || reason
    if (said.has(key)) return
    said.add(key)
    if (error instanceof KafkaError && polled.tell?.(error)) return
    this.#logger.warn({ ...polled.place, reason }, `A partition cannot be read; it is tried again: ${reason}`)
  }
}
