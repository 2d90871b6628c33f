import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../core/message-of.ts'
import { KafkaError } from '../driver.ts'
import { codeOf, type RequestCluster } from './kafkajs-internals.ts'
import { PlatformaticBroker, type Send } from './platformatic-broker.ts'
import type { Connection, ConnectionOptions, ConnectionPool, PlatformaticLibrary } from './platformatic-library.ts'

/*
 * The cluster as @platformatic/kafka's connections see it: who leads which partition, and a connection to each broker.
 * Of the library it uses connections, encoding and decoding; whom to ask, and when to ask again, is decided here and in
 * what both drivers share.
 */

export interface ClusterOptions {
  readonly brokers: readonly Address[]
  readonly clientId: string
  readonly connection: ConnectionOptions
  /** After so long without an answer a request has failed and its connection is closed. */
  readonly requestTimeoutMs: number
}

export interface Address {
  readonly host: string
  readonly port: number
}

interface KnownPartition {
  readonly partitionId: number
  readonly leader: number
}

/** Above all of ours: those close the connection and tell why, the library's own is the last resort. */
const LIBRARY_TIMEOUT_MS = 600_000
const CLOSING_MS = 500

export class PlatformaticCluster implements RequestCluster {
  readonly #library: PlatformaticLibrary
  readonly #options: ClusterOptions
  readonly #pool: ConnectionPool
  readonly #topics = new Set<string>()
  /** Why connections came to an end. */
  readonly #broken = new WeakMap<Connection, unknown>()
  #brokers = new Map<number, Address>()
  #controller = -1
  #partitions = new Map<string, readonly KnownPartition[] | KafkaError>()

  constructor(library: PlatformaticLibrary, options: ClusterOptions) {
    this.#library = library
    this.#options = options
    const connection = { ...options.connection, requestTimeout: LIBRARY_TIMEOUT_MS }
    this.#pool = new library.ConnectionPool(options.clientId, connection)
    // An 'error' nobody listens to would end the process; whoever waits for an answer hears no more than that it is closed.
    this.#pool.on('connecting', ({ connection }) => {
      connection.on('error', (error) => void this.#broken.set(connection, error))
    })
  }

  async connect(): Promise<void> {
    if (this.#brokers.size === 0) await this.refreshMetadata()
  }

  /** A broker that does not answer must not hold up who closes, so after a moment its socket is cut. */
  async disconnect(): Promise<void> {
    const open = [...this.#pool].map(([, connection]) => connection)
    const closed = this.#pool.close().catch(() => {})
    await Promise.race([closed, sleep(CLOSING_MS, undefined, { ref: false })])
    for (const connection of open) connection.socket?.destroy()
  }

  async refreshMetadata(): Promise<void> {
    await this.#askAny((broker) => this.#learnFrom(broker))
  }

  async addMultipleTargetTopics(topics: readonly string[]): Promise<void> {
    const unknown = topics.filter((topic) => !this.#topics.has(topic))
    if (unknown.length === 0) return
    for (const topic of unknown) this.#topics.add(topic)
    try {
      await this.refreshMetadata()
      for (const topic of unknown) this.findTopicPartitionMetadata(topic)
    } catch (error) {
      for (const topic of unknown) this.#topics.delete(topic)
      throw error
    }
  }

  /** @throws KafkaError why the topic is not there, where the cluster said so. */
  findTopicPartitionMetadata(topic: string): readonly KnownPartition[] {
    const known = this.#partitions.get(topic) ?? []
    if (known instanceof KafkaError) throw known
    return known
  }

  async findBroker({ nodeId }: { nodeId: number | string }): Promise<PlatformaticBroker> {
    const address = this.#brokers.get(Number(nodeId))
    if (address === undefined) throw unavailable(`Broker ${nodeId} is not known to the cluster right now.`)
    return this.#at(address)
  }

  /** Any broker forwards to the controller, so one that cannot be found is no reason to wait. */
  async findControllerBroker(): Promise<PlatformaticBroker> {
    await this.connect()
    const address = this.#brokers.get(this.#controller) ?? this.#addresses()[0]
    if (address === undefined) throw unavailable('No broker is known.')
    return this.#at(address)
  }

  async findGroupCoordinator(wanted: { groupId: string; coordinatorType: 0 | 1 }): Promise<PlatformaticBroker> {
    return this.#at(await this.#askAny((broker) => broker.findCoordinator(wanted)))
  }

  /** One broker after the other, until one answers; what it refuses the others would refuse, too. */
  async #askAny<T>(ask: (broker: PlatformaticBroker) => Promise<T>): Promise<T> {
    let failure = unavailable('No broker is known.')
    for (const address of this.#addresses()) {
      try {
        return await ask(this.#at(address))
      } catch (error) {
        failure = this.#toKafkaError(error, address)
        if (failure.code !== 'UNAVAILABLE') break
      }
    }
    throw failure
  }

  /** Living brokers first: those the configuration names may be gone for long. */
  #addresses(): readonly Address[] {
    const known = [...this.#brokers.values(), ...this.#options.brokers]
    return [...new Map(known.map((address) => [`${address.host}:${address.port}`, address])).values()]
  }

  async #learnFrom(broker: PlatformaticBroker): Promise<void> {
    const { brokers, controllerId, topics } = await broker.clusterMetadata([...this.#topics])
    this.#brokers = new Map(brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]))
    this.#controller = controllerId
    this.#partitions = new Map(topics.map(({ topic, flaw, partitions }) => [topic, flaw ?? partitions]))
  }

  #at(address: Address): PlatformaticBroker {
    const send: Send = async (request, timeoutMs = this.#options.requestTimeoutMs) => {
      let connection: Connection | undefined
      try {
        connection = await this.#pool.get(address)
        return await answered(connection, request(connection), timeoutMs)
      } catch (error) {
        const why = connection && this.#broken.get(connection)
        throw this.#toKafkaError(why ?? error, address)
      }
    }
    return new PlatformaticBroker(this.#library, send)
  }

  #toKafkaError(error: unknown, { host, port }: Address): KafkaError {
    if (error instanceof KafkaError) return error
    const found = findProtocolError(error)
    const said = found?.serverErrorMessage ?? found?.message ?? deepestMessage(error)
    const message = found === undefined ? `${host}:${port}: ${said}` : `${found.apiId}: ${said}`
    return new KafkaError(codeOf(found?.apiId), message, { type: found?.apiId, cause: error })
  }
}

function unavailable(message: string): KafkaError {
  return new KafkaError('UNAVAILABLE', message, { type: 'BROKER_NOT_AVAILABLE' })
}

/** The answer, or an error after `timeoutMs`; a connection that owes an answer is of no use to anybody. */
async function answered<T>(connection: Connection, answer: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new KafkaError('UNAVAILABLE', `No answer within ${timeoutMs} ms.`, { type: 'REQUEST_TIMED_OUT' }))
      connection.socket?.destroy()
    }, timeoutMs)
  })
  return Promise.race([answer, late]).finally(() => clearTimeout(timer))
}

interface ProtocolFlaw {
  readonly apiId: string
  readonly message: string
  readonly serverErrorMessage?: string | null
}

/** The library wraps the broker's errors in one for the whole answer, and that sometimes in another. */
export function findProtocolError(error: unknown, depth = 0): ProtocolFlaw | undefined {
  if (!(error instanceof Error) || depth > 5) return undefined
  if ('apiId' in error && typeof error.apiId === 'string') return error as Error & ProtocolFlaw
  const inner = error instanceof AggregateError ? error.errors : [error.cause]
  for (const each of inner) {
    const found = findProtocolError(each, depth + 1)
    if (found !== undefined) return found
  }
  return undefined
}

function deepestMessage(error: unknown): string {
  let current = error
  while (current instanceof Error && current.cause instanceof Error) current = current.cause
  return messageOf(current)
}
