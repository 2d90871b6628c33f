import {
  type DriverRecord,
  type FetchedPartition,
  type FetchPosition,
  KafkaError,
  type OffsetsToCommit,
  type PartitionReader,
  type PlacedBatch,
  type TopicPartition,
  type Transaction,
  type TransactionalWriter,
  type TransactionOutcome,
} from '../../src/kafka/driver.ts'
import type { VirtualTime } from './virtual-time.ts'

/*
 * A broker as the writer sees one: transactional ids with epochs, open transactions, markers that come after the answer
 * to the commit, a last stable offset, leaders that do not know at once all that is committed, or that they lead no more; and a
 * network that delays, loses requests, loses answers, and delivers late what its sender has given up.
 */

interface OpenTransaction {
  readonly offsets: readonly OffsetsToCommit[]
  readonly places: Map<string, number>
  state: 'open' | 'committing' | 'committed' | 'aborted'
}

interface Entry {
  readonly transaction: OpenTransaction
  /** Absent: a marker. */
  readonly record?: DriverRecord
}

export interface CommittedOffset {
  readonly group: string
  readonly offset: number
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
  /** Frozen: nothing comes or goes before. */
  frozenUntilMs: number
  /** It asks a leader that leads no more, and sees the partition as it was when that began. */
  formerEnd: number | undefined
}

export function openLine(): Line {
  return { cut: false, frozenUntilMs: 0, formerEnd: undefined }
}

const LOST = () => new KafkaError('UNAVAILABLE', 'lost on the way')
const FENCED = () => new KafkaError('FENCED', 'fenced', { type: 'INVALID_PRODUCER_EPOCH' })
const TRANSACTION_TIMEOUT_MS = 10_000

export class SimulatedBroker {
  readonly #network: Network
  readonly #logs = new Map<string, Entry[]>()
  readonly #ids = new Map<string, Identity>()
  readonly #offsets: CommittedOffset[] = []
  /** What a new leader shows at most, until it knows better. */
  readonly #shownEnds = new Map<string, number>()
  #hiddenUntilMs = -1

  constructor(network: Network) {
    this.#network = network
  }

  /** What a read_committed reader of the whole log will see: what is decided, though its marker may be yet to come. */
  committed(topic: string, partition: number): readonly { readonly offset: number; readonly record: DriverRecord }[] {
    return this.#log(`${topic}/${partition}`).flatMap(({ transaction, record }, offset) =>
      record !== undefined && (transaction.state === 'committed' || transaction.state === 'committing')
        ? [{ offset, record }]
        : [],
    )
  }

  /** In the order of their transactions. */
  get offsets(): readonly CommittedOffset[] {
    return this.#offsets
  }

  /** Whether something committed was hidden from somebody at any time since. */
  hidSince(ms: number): boolean {
    return this.#hiddenUntilMs >= ms
  }

  /** Another broker leads from now on; for a while it does not show the newest entries. */
  changeLeader({ topic, partition }: TopicPartition, { hides, forMs }: { hides: number; forMs: number }): void {
    const place = `${topic}/${partition}`
    const end = Math.max(0, this.#log(place).length - hides)
    this.#shownEnds.set(place, Math.min(end, this.#shownEnds.get(place) ?? end))
    this.#hide(forMs, () => this.#shownEnds.delete(place))
  }

  /** For a while it sees no more than there is now, and its leader does not know that there is more. */
  isolate(line: Line, { topic, partition }: TopicPartition, forMs: number): void {
    line.formerEnd ??= this.#log(`${topic}/${partition}`).length
    this.#hide(forMs, () => {
      line.formerEnd = undefined
    })
  }

  #hide(forMs: number, end: () => void): void {
    const { time } = this.#network
    this.#hiddenUntilMs = Math.max(this.#hiddenUntilMs, time.nowMs + forMs)
    time.after(forMs, end)
  }

  openWriter(id: string, line: Line): TransactionalWriter {
    let epoch = -1
    return {
      init: async () => {
        epoch = await this.#ask(line, () => this.#init(id))
      },
      endOf: ({ topic, partition }) => this.#ask(line, () => this.#guardedEnd(`${topic}/${partition}`, line)),
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
    await this.#thawed(line)
    if (line.cut) return new Promise(() => {})
    await this.#pass(fate < trouble / 3 ? 0 : random() * 4)
    // What was on its way when its sender was killed, or gave up, may arrive yet.
    if ((line.cut || fate < trouble / 3) && random() < 0.5) {
      this.#network.time.after(random() * 300, () => void this.#late(handle))
    }
    if (line.cut) return new Promise(() => {})
    if (fate < trouble / 3) throw LOST()
    let answer = handle()
    while (answer === undefined) {
      await this.#pass(2)
      answer = handle()
    }
    await this.#pass(random() * 4)
    await this.#thawed(line)
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

  async #thawed(line: Line): Promise<void> {
    const { time } = this.#network
    while (line.frozenUntilMs > time.nowMs) await this.#pass(line.frozenUntilMs - time.nowMs)
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
      const written = await this.#ask(line, () => this.#produce(id, epoch, transaction))
      if (transaction.mayCommit?.(written) === false) return await this.#giveUp(id, epoch, line)
      placed = written
      await this.#ask(line, () => this.#commit(id, epoch))
      return { kind: 'committed', placed }
    } catch (error) {
      return placed === undefined ? { kind: 'aborted', error } : { kind: 'unknown', error, placed }
    }
  }

  /** Aborts as well as it can; else the next `init` does. */
  async #giveUp(id: string, epoch: number, line: Line): Promise<TransactionOutcome> {
    const abort = () => {
      const { current } = this.#fencedBy(id, epoch)
      if (current?.state === 'open') this.#finish(current, 'aborted')
      return true as const
    }
    await this.#ask(line, abort).catch(() => {})
    return { kind: 'aborted', error: FENCED() }
  }

  #produce(id: string, epoch: number, { records, offsets }: Transaction): readonly PlacedBatch[] | undefined {
    const identity = this.#fencedBy(id, epoch)
    if (identity.current?.state === 'committing') return undefined
    if (identity.current?.state === 'open') throw FENCED() // a late produce of a transaction that was given up
    const transaction: OpenTransaction = { places: new Map(), offsets, state: 'open' }
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
      this.#moveOffsets(current)
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

  #moveOffsets(transaction: OpenTransaction): void {
    for (const { group, offsets } of transaction.offsets) {
      for (const { offset } of offsets) this.#offsets.push({ group, offset })
    }
  }

  #log(place: string): Entry[] {
    const log = this.#logs.get(place) ?? []
    this.#logs.set(place, log)
    return log
  }

  /** Kafka's ListOffsets: not before a new leader knows. Who leads no more does not know that. */
  #guardedEnd(place: string, { formerEnd }: Line): number | undefined {
    if (formerEnd !== undefined) return formerEnd
    return this.#shownEnds.has(place) ? undefined : this.#log(place).length
  }

  /** The high watermark as a fetch has it. */
  #shown(place: string, { formerEnd }: Line): number {
    const { length } = this.#log(place)
    return Math.min(length, formerEnd ?? length, this.#shownEnds.get(place) ?? length)
  }

  #stable(place: string, line: Line): number {
    const open = this.#log(place).findIndex(({ transaction: { state } }) => state === 'open' || state === 'committing')
    const shown = this.#shown(place, line)
    return open === -1 ? shown : Math.min(open, shown)
  }

  async #fetch({ topic, partition, offset }: FetchPosition, maxWaitMs: number, line: Line): Promise<FetchedPartition> {
    const place = `${topic}/${partition}`
    const log = this.#log(place)
    await this.#ask(line, () => true)
    if (this.#stable(place, line) <= offset) await this.#pass(maxWaitMs)
    const stableOffset = this.#stable(place, line)
    const nextOffset = Math.max(offset, stableOffset)
    const records = log
      .slice(offset, nextOffset)
      .flatMap(({ record, transaction }, index) =>
        record === undefined || transaction.state !== 'committed'
          ? []
          : [{ ...record, offset: offset + index, timestampMs: 0 }],
      )
    const highWatermark = this.#shown(place, line)
    return { topic, partition, fromOffset: offset, records, nextOffset, stableOffset, highWatermark }
  }

  async #watch({ topic, partition, offset }: FetchPosition, maxWaitMs: number, line: Line) {
    const place = `${topic}/${partition}`
    await this.#ask(line, () => true)
    if (this.#shown(place, line) <= offset) await this.#pass(maxWaitMs)
    const shown = this.#shown(place, line)
    const seen = this.#log(place).slice(offset, shown)
    const records = seen.filter(({ record }) => record !== undefined).length
    return { records, nextOffset: Math.max(offset, shown), stableOffset: this.#stable(place, line) }
  }
}
