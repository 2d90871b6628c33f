import type { RecordedEvent } from '../../core/event.ts'
import type { Logger } from '../../core/logger.ts'
import { partitionOf } from '../../core/murmur2.ts'
import { type FetchedPartition, type FetchedRecord, KafkaError, type PartitionReader } from '../../kafka/driver.ts'
import { pause } from '../wake-ups.ts'
import type { PartitionReplica } from './partition-replica.ts'
import { type DecodedRecord, decodeRecord } from './record-codec.ts'

/*
 * One partition of the event topic and this process's replica of it.
 *
 * L1 The replica changes by reading the log, or by taking committed records that any reader sees by now and that follow
 *    its position without a gap (read-back.ts).
 * L2 `catchUp` begins its first request after it was called, so it sees every append acknowledged before (an append is
 *    acknowledged when its writer has read it back, that is, when it lies below the last stable offset).
 * L3 `catchUpToEnd` waits for the high watermark, which nothing committed can lie behind, not for the last stable
 *    offset, which a stranger's open transaction can hold back.
 */

const END_WAIT_MS = 20
const RETRY_PAUSE_MS = 100
const READ_PATIENCE_MS = 15_000

export interface PartitionLogOptions {
  readonly topic: string
  readonly logicalTopic: string
  readonly partition: number
  readonly partitionCount: number
  readonly reader: PartitionReader
  readonly replica: PartitionReplica
  readonly logger: Logger
  readonly onEvents: (streams: ReadonlySet<string>) => void
}

export class PartitionLog {
  readonly replica: PartitionReplica
  readonly #options: PartitionLogOptions
  #running: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  constructor(options: PartitionLogOptions) {
    this.#options = options
    this.replica = options.replica
  }

  /** Resolves when the replica has all that was stable when this was called (L2). Callers share requests. */
  catchUp(): Promise<void> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined
      const run = this.#readUntil(({ stableOffset }) => stableOffset, 0)
      this.#running = run.catch(() => {})
      return run
    })
    return this.#next
  }

  /** Resolves when the replica has all that any earlier writer committed (L3). */
  catchUpToEnd(): Promise<void> {
    return this.#readUntil(({ highWatermark }) => highWatermark, END_WAIT_MS)
  }

  /** Resolves when the record at `offset` and its transaction's end have been read. */
  async catchUpPast(offset: number): Promise<void> {
    if (this.replica.position <= offset) await this.#readUntil(() => offset + 1, END_WAIT_MS)
  }

  /** True for an event every reader of the log counts as one: the replica has it at this very offset. */
  isFact(stream: string, sequence: number | undefined, offset: number): boolean {
    if (sequence === undefined) return false
    return this.replica.read(stream, sequence, sequence)[0]?.offset === offset
  }

  eventAt(stream: string, position: number): RecordedEvent | undefined {
    return this.replica.read(stream, position, position)[0]
  }

  /** Takes in what somebody fetched, from here or from before; never leaves a hole. */
  take(fetched: FetchedPartition): void {
    if (fetched.fromOffset > this.replica.position) return
    const changed = new Set<string>()
    for (const record of fetched.records) {
      if (record.offset >= this.replica.position) this.#takeRecord(record, changed)
    }
    this.replica.advance(fetched.nextOffset)
    if (changed.size > 0) this.#options.onEvents(changed)
  }

  #takeRecord(record: FetchedRecord, changed: Set<string>): void {
    const { logicalTopic, partition } = this.#options
    const decoded = decodeRecord(record, { topic: logicalTopic, partition })
    const flaw = 'stranger' in decoded ? decoded.stranger : this.#flawOfPlace(record, decoded.record)
    if (flaw !== undefined) this.#report(record, flaw)
    else changed.add(record.key?.toString() ?? '')
  }

  #flawOfPlace(record: FetchedRecord, decoded: DecodedRecord): string | undefined {
    return this.#belongsHere(record) ? this.replica.add(decoded) : 'its key belongs to another partition'
  }

  #belongsHere({ key }: FetchedRecord): boolean {
    return key !== null && partitionOf(key, this.#options.partitionCount) === this.#options.partition
  }

  #report({ offset, key }: FetchedRecord, reason: string): void {
    const { topic, partition, logger } = this.#options
    logger.warn(
      { topic, partition, offset, key: key?.toString(), reason },
      `Skipped a record that is no event: ${reason}`,
    )
  }

  async #readUntil(target: (first: FetchedPartition) => number, maxWaitMs: number): Promise<void> {
    const first = await this.#fetch(0) // who is at the end already must not wait for more
    const until = target(first)
    this.take(first)
    while (this.replica.position < until) this.take(await this.#fetch(maxWaitMs))
  }

  async #fetch(maxWaitMs: number): Promise<FetchedPartition> {
    const { topic, partition, reader } = this.#options
    const deadline = performance.now() + READ_PATIENCE_MS
    for (;;) {
      try {
        const [fetched] = await reader.fetch([{ topic, partition, offset: this.replica.position }], { maxWaitMs })
        if (fetched !== undefined) return fetched
      } catch (error) {
        const passing = error instanceof KafkaError && error.code === 'UNAVAILABLE'
        if (!passing || performance.now() > deadline) throw error
      }
      await pause(RETRY_PAUSE_MS)
    }
  }
}
