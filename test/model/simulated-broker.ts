import {
  type DriverRecord,
  type FetchedPartition,
  type FetchPosition,
  KafkaError,
  type PartitionReader,
  type PlacedBatch,
  type Transaction,
  type TransactionalWriter,
  type TransactionOutcome,
} from '../../src/kafka/driver.ts'
import type { VirtualTime } from './virtual-time.ts'

/*
 * A broker as the writer sees one: transactional ids with epochs, open transactions, markers that come after the answer
 * to the commit, a last stable offset; and a network that delays, loses requests, loses answers, and delivers late what its
 * sender has given up.
 */

interface OpenTransaction {
  readonly places: Map<string, number>
  state: 'open' | 'committing' | 'committed' | 'aborted'
}

interface Entry {
  readonly transaction: OpenTransaction
  /** Absent: a marker. */
  readonly record?: DriverRecord
}

interface Identity {
  epoch: number
  current: OpenTransaction | undefined
}

export interface Network {
  readonly time: VirtualTime
  readonly random: () => number
  /** 0: everything arrives. */
  trouble: number
}

/** A process's line to the broker; cut when the process is killed. */
export interface Line {
  cut: boolean
}

const LOST = () => new KafkaError('UNAVAILABLE', 'lost on the way')
const FENCED = () => new KafkaError('FENCED', 'fenced', { type: 'INVALID_PRODUCER_EPOCH' })
const TRANSACTION_TIMEOUT_MS = 10_000

export class SimulatedBroker {
  readonly #network: Network
  readonly #logs = new Map<string, Entry[]>()
  readonly #ids = new Map<string, Identity>()

  constructor(network: Network) {
    this.#network = network
  }

  /** What a read_committed reader of the whole log would see, once all is decided. */
  committed(topic: string, partition: number): readonly { readonly offset: number; readonly record: DriverRecord }[] {
    return this.#log(`${topic}/${partition}`).flatMap(({ transaction, record }, offset) =>
      record !== undefined && transaction.state === 'committed' ? [{ offset, record }] : [],
    )
  }

  openWriter(id: string, line: Line): TransactionalWriter {
    let epoch = -1
    return {
      init: async () => {
        epoch = await this.#ask(line, () => this.#init(id))
      },
      transact: (transaction) => this.#transact(id, epoch, transaction, line),
      close: async () => {},
    }
  }

  openReader(line: Line, { watches }: { readonly watches: boolean }): PartitionReader {
    const reader: PartitionReader = {
      fetch: async ([position], { maxWaitMs }) => [await this.#fetch(position as FetchPosition, maxWaitMs, line)],
      close: async () => {},
    }
    if (!watches) return reader
    return { ...reader, watch: (position, { maxWaitMs }) => this.#watch(position, maxWaitMs, line) }
  }

  /** One request: it may be lost, its answer may be lost, and it may arrive after its sender gave up. */
  async #ask<T>(line: Line, handle: () => T | undefined): Promise<T> {
    const { random, trouble } = this.#network
    const fate = random()
    await this.#pass(fate < trouble / 3 ? 0 : random() * 4)
    if (line.cut) return new Promise(() => {})
    if (fate < trouble / 3) {
      if (random() < 0.5) this.#network.time.after(random() * 300, () => void this.#late(handle))
      throw LOST()
    }
    let answer = handle()
    while (answer === undefined) {
      await this.#pass(2)
      answer = handle()
    }
    await this.#pass(random() * 4)
    if (line.cut) return new Promise(() => {})
    if (fate > 1 - trouble / 3) throw LOST()
    return answer
  }

  #late(handle: () => unknown): void {
    try {
      handle()
    } catch {
      // fenced by then
    }
  }

  #pass(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#network.time.after(ms, resolve))
  }

  #identity(id: string): Identity {
    const identity = this.#ids.get(id) ?? { epoch: 0, current: undefined }
    this.#ids.set(id, identity)
    return identity
  }

  /** Not before what was open is decided and its markers are written; nothing: ask again. */
  #init(id: string): number | undefined {
    const identity = this.#identity(id)
    if (identity.current?.state === 'committing') return undefined
    if (identity.current?.state === 'open') this.#finish(identity.current, 'aborted')
    identity.current = undefined
    return ++identity.epoch
  }

  async #transact(id: string, epoch: number, transaction: Transaction, line: Line): Promise<TransactionOutcome> {
    let placed: readonly PlacedBatch[] | undefined
    try {
      placed = await this.#ask(line, () => this.#produce(id, epoch, transaction.records))
      await this.#ask(line, () => this.#commit(id, epoch))
      return { kind: 'committed', placed }
    } catch (error) {
      return placed === undefined ? { kind: 'aborted', error } : { kind: 'unknown', error, placed }
    }
  }

  #produce(id: string, epoch: number, records: readonly DriverRecord[]): readonly PlacedBatch[] | undefined {
    const identity = this.#fencedBy(id, epoch)
    if (identity.current?.state === 'committing') return undefined
    if (identity.current?.state === 'open') throw FENCED() // a late produce of a transaction that was given up
    const transaction: OpenTransaction = { places: new Map(), state: 'open' }
    identity.current = transaction
    this.#network.time.after(TRANSACTION_TIMEOUT_MS, () => this.#timeOut(identity, transaction))
    const placed: PlacedBatch[] = []
    for (const record of records) {
      const { topic, partition } = record
      const log = this.#log(`${topic}/${partition}`)
      const offset = log.push({ transaction, record }) - 1
      if (!transaction.places.has(`${topic}/${partition}`)) transaction.places.set(`${topic}/${partition}`, offset)
      placed.push({ topic, partition, baseOffset: offset, lastOffset: offset })
    }
    return placed
  }

  #commit(id: string, epoch: number): true {
    const { current } = this.#fencedBy(id, epoch)
    if (current?.state === 'aborted' || current === undefined) throw FENCED()
    if (current.state === 'open') {
      current.state = 'committing'
      this.#network.time.after(this.#network.random() * 40, () => this.#finish(current, 'committed'))
    }
    return true
  }

  #timeOut(identity: Identity, transaction: OpenTransaction): void {
    if (transaction.state !== 'open') return
    identity.epoch++
    this.#finish(transaction, 'aborted')
  }

  #fencedBy(id: string, epoch: number): Identity {
    const identity = this.#identity(id)
    if (identity.epoch !== epoch) throw FENCED()
    return identity
  }

  #finish(transaction: OpenTransaction, state: 'committed' | 'aborted'): void {
    transaction.state = state
    for (const place of transaction.places.keys()) this.#log(place).push({ transaction })
  }

  #log(place: string): Entry[] {
    const log = this.#logs.get(place) ?? []
    this.#logs.set(place, log)
    return log
  }

  #stable(log: readonly Entry[]): number {
    const open = log.findIndex(({ transaction: { state } }) => state === 'open' || state === 'committing')
    return open === -1 ? log.length : open
  }

  async #fetch({ topic, partition, offset }: FetchPosition, maxWaitMs: number, line: Line): Promise<FetchedPartition> {
    const log = this.#log(`${topic}/${partition}`)
    await this.#ask(line, () => true)
    if (this.#stable(log) <= offset) await this.#pass(maxWaitMs)
    const stableOffset = this.#stable(log)
    const nextOffset = Math.max(offset, stableOffset)
    const records = log
      .slice(offset, nextOffset)
      .flatMap(({ record, transaction }, index) =>
        record === undefined || transaction.state !== 'committed'
          ? []
          : [{ ...record, offset: offset + index, timestampMs: 0 }],
      )
    return { topic, partition, fromOffset: offset, records, nextOffset, stableOffset, highWatermark: log.length }
  }

  async #watch({ topic, partition, offset }: FetchPosition, maxWaitMs: number, line: Line) {
    const log = this.#log(`${topic}/${partition}`)
    await this.#ask(line, () => true)
    if (log.length <= offset) await this.#pass(maxWaitMs)
    const records = log.slice(offset).filter(({ record }) => record !== undefined).length
    return { records, nextOffset: Math.max(offset, log.length), stableOffset: this.#stable(log) }
  }
}
