import type { Logger } from '../core/logger.ts'

/*
 * What duolog needs of a Kafka client library, and no more. One driver file imports one library; the store and the
 * tools see this port only.
 *
 * D1 Reads are read_committed: no record of an open or aborted transaction is ever handed out.
 * D2 `stableOffset` and `nextOffset` count what takes offsets without being a record (transaction markers): a reader
 *    is caught up when `nextOffset >= stableOffset`, whatever the last record's offset was.
 * D3 `transact` never guesses: committed and aborted are certain, everything else is "unknown", with a witness.
 * D6 Who is no member of a group any more, or of an earlier generation, moves its offsets neither by a commit nor by a
 *    transaction; and who asks where they are is answered only when no transaction that moves them is undecided. So what
 *    a member learns when it takes a partition stays true until that member itself changes it (KIP-447).
 */

/**
 * `latest` is the last stable offset, `written` the high watermark: behind all that is committed, or may yet be. Both are asked
 * of a leader that knows them (KIP-207), which a fetch is answered without.
 */
export type PartitionEnd = 'earliest' | 'latest' | 'written'

export interface KafkaDriver {
  /** Those of the topics that exist. */
  describeTopics(topics: readonly string[]): Promise<readonly TopicDescription[]>
  /** Creates what is missing; a topic that exists already is left as it is. Replication: the broker's default. */
  createTopics(topics: readonly NewTopic[]): Promise<void>
  /** Sets these configs of an existing topic; its other own configs stay as they are. */
  alterTopicConfig(topic: string, config: Readonly<Record<string, string>>): Promise<void>
  /** Raises the number of partitions to `count`. Keys move: never on a topic whose order matters. */
  addPartitions(topic: string, count: number): Promise<void>
  offsetOf(place: TopicPartition, end: PartitionEnd): Promise<number>
  /** Plain, at least once; resolves when all in-sync replicas have the records. */
  produce(records: readonly DriverRecord[]): Promise<void>
  /** A reader with connections of its own, so that its waiting holds up nobody else. */
  openReader(): PartitionReader
  /** The transactional writer of an id; nothing is sent before `init`. */
  openWriter(options: WriterOptions): TransactionalWriter
  openMember(options: MemberOptions): GroupMember
  close(): Promise<void>
}

export interface DriverOptions {
  /** host:port of at least one broker. */
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly logger: Logger
  /** How long to look for a broker at the start before giving up, milliseconds. */
  readonly connectTimeoutMs: number
  /** TLS to every broker. `true` trusts the authorities that Node trusts. */
  readonly ssl?: boolean | TlsOptions | undefined
  readonly sasl?: SaslOptions | undefined
}

/** Each a text in PEM. */
export interface TlsOptions {
  /** Whom to trust, instead of the authorities that Node trusts. */
  readonly ca?: string
  /** Of this client, where the broker asks for one; with its key. */
  readonly cert?: string
  readonly key?: string
}

export interface SaslOptions {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: string
}

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface TopicDescription {
  readonly topic: string
  readonly partitions: number
  readonly cleanupPolicy: string
  /** -1: for ever. */
  readonly retentionMs: number
  /** Replicas of its first partition. */
  readonly replicationFactor: number
  /** All configs in force, by name: the topic's own and the broker's defaults. */
  readonly config: ReadonlyMap<string, TopicConfigEntry>
}

export interface TopicConfigEntry {
  readonly value: string
  /** Set on the topic itself, not the broker's default. */
  readonly own: boolean
}

export interface NewTopic {
  readonly topic: string
  readonly partitions: number
  /** Default: the broker's own. */
  readonly replicationFactor?: number | undefined
  readonly config?: Readonly<Record<string, string>>
}

export interface DriverRecord extends TopicPartition {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, string | Buffer>>
}

/** A record as it lies in the log; headers may repeat and may be empty, as anyone may have written it. */
export interface FetchedRecord {
  readonly offset: number
  /** Milliseconds since the epoch: the producer's or the broker's time, by the topic's configuration. */
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer | string | readonly (Buffer | string)[] | null | undefined>>
  /** The headers of these names as text, the last one where one repeats, without those that are null; cheaper than `headers`. */
  texts?(isWanted: (name: string) => boolean): Readonly<Record<string, string>>
}

export interface FetchPosition extends TopicPartition {
  readonly offset: number
}

export interface FetchedPartition extends TopicPartition {
  /** The offset that was asked for. */
  readonly fromOffset: number
  readonly records: readonly FetchedRecord[]
  /** Where to go on: behind the last record or marker seen. */
  readonly nextOffset: number
  /** No transaction below this offset is open any more. */
  readonly stableOffset: number
  /** All offsets below are safely replicated, committed or not. */
  readonly highWatermark: number
}

export interface FetchOptions {
  /** How long the broker may wait for a first record. 0: answer at once. */
  readonly maxWaitMs: number
}

export interface PartitionReader {
  /** @throws KafkaError OFFSET_OUT_OF_RANGE and others; leader changes and disconnects are worth a retry. */
  fetch(positions: readonly FetchPosition[], options: FetchOptions): Promise<readonly FetchedPartition[]>
  /**
   * Resolves when something lies at the position, decided or not, or after `maxWaitMs`: how a writer learns that its
   * transaction is decided without reading its own records again. Hands out no record (D1). A driver may do without.
   */
  watch?(position: FetchPosition, options: FetchOptions): Promise<WatchedPartition>
  close(): Promise<void>
}

/** What was seen of a partition from a position on. */
export interface WatchedPartition {
  /** How many records, markers not counted. */
  readonly records: number
  readonly nextOffset: number
  readonly stableOffset: number
}

export interface WriterOptions {
  readonly transactionalId: string
  /** After so long the coordinator aborts an open transaction and fences its writer. */
  readonly transactionTimeoutMs: number
}

export interface OffsetsToCommit {
  readonly group: string
  /** What `GroupMember.identity` was when the places were given. Nothing: anybody's, and nobody is stopped. */
  readonly identity?: string | undefined
  readonly offsets: readonly FetchPosition[]
}

export interface Transaction {
  readonly records: readonly DriverRecord[]
  readonly offsets: readonly OffsetsToCommit[]
  /** Asked when all records lie in the log and before the commit is sent: `false` aborts. */
  readonly mayCommit?: (placed: readonly PlacedBatch[]) => boolean
}

export interface PlacedBatch extends TopicPartition {
  /** Offset of the batch's first record; the others follow without gaps. */
  readonly baseOffset: number
  readonly lastOffset: number
}

export type TransactionOutcome =
  | { readonly kind: 'committed'; readonly placed: readonly PlacedBatch[] }
  /** Certainly not in the log, now and later. `fenced`: the offsets whose member is no longer who it was (D6). */
  | { readonly kind: 'aborted'; readonly error: unknown; readonly fenced?: OffsetsToCommit | undefined }
  /** The commit was sent and not answered. Once a later `init` of the same id has succeeded the log tells. */
  | { readonly kind: 'unknown'; readonly error: unknown; readonly placed: readonly PlacedBatch[] }

/**
 * The transactional producer of one id. Another process that calls `init` with the same id fences this one: whatever it
 * had open is finished (aborted, or committed if that was decided), and it can write nothing any more.
 */
export interface TransactionalWriter {
  /** When this resolves no earlier transaction of the id is open, and no earlier writer of the id can write. */
  init(): Promise<void>
  /**
   * Behind all that was committed there when this was called, as far as the broker can know that leads now: one that has
   * just begun to lead answers only when it has caught up. Asked where the next transaction will go.
   */
  endOf(place: TopicPartition): Promise<number>
  /** After any outcome but 'committed' call `init` before the next. Never rejects. One at a time. */
  transact(transaction: Transaction): Promise<TransactionOutcome>
  close(): Promise<void>
}

export interface MemberOptions {
  readonly group: string
  readonly topics: readonly string[]
  /** A member silent for so long loses its partitions, milliseconds. */
  readonly sessionTimeoutMs: number
  /** How long a member may take to finish its handlers when partitions move, milliseconds. */
  readonly rebalanceTimeoutMs: number
  /** Called with each new assignment; the former one was revoked before. */
  onAssigned(assignment: readonly TopicPartition[]): void
  /** Resolves when nothing of the former assignment is being handled any more. */
  onRevoked(): Promise<void>
}

/** Membership in a consumer group, apart from reading: a slow handler never costs the membership (P9). */
export interface GroupMember {
  /** Resolves with the first assignment. */
  readonly joined: Promise<void>
  /** The membership's name and generation: changes with every assignment. */
  readonly identity: string
  /** @throws KafkaError UNAVAILABLE of type UNSTABLE_OFFSET_COMMIT while a transaction that moves one is undecided (D6). */
  committed(places: readonly TopicPartition[]): Promise<readonly (FetchPosition | undefined)[]>
  /** @throws KafkaError with code FENCED when the partitions belong to another generation by now. */
  commit(offsets: readonly FetchPosition[]): Promise<void>
  leave(): Promise<void>
}

export type KafkaErrorCode = 'FENCED' | 'OFFSET_OUT_OF_RANGE' | 'REFUSED' | 'UNAVAILABLE'

/** What a driver throws. `type` is Kafka's own name where the broker gave one. */
export class KafkaError extends Error {
  override readonly name = 'KafkaError'
  readonly code: KafkaErrorCode
  readonly type: string | undefined

  constructor(
    code: KafkaErrorCode,
    message: string,
    options: { readonly type?: string | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.code = code
    this.type = options.type
  }
}
