import type { KafkaConfig, logCreator as LogCreator, logLevel, SASLOptions } from 'kafkajs'
import { DuologError } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { DriverOptions, KafkaDriver } from '../driver.ts'
import { connectWithin } from './connect-within.ts'
import { driverOn } from './driver-on.ts'
import { curedConnections } from './kafkajs-connections.ts'
import { ownDecoder } from './kafkajs-fetch.ts'
import { commitOfMember, stableOffsets } from './kafkajs-group-offsets.ts'
import { type LowCluster, type RequestBroker, typeOf } from './kafkajs-internals.ts'
import { forgivingMetadata } from './kafkajs-metadata.ts'
import { withOwnRequests } from './kafkajs-own-requests.ts'
import { fastProduce } from './kafkajs-produce.ts'
import { KafkajsReader } from './kafkajs-reader.ts'

/*
 * The driver port on kafkajs 2.2.4: the only file that loads it, and only when a store on Kafka is opened. What kafkajs
 * does by itself is turned off: its console output, its auto-created topics, its long pauses between retries.
 */

type Kafkajs = typeof import('kafkajs')

/** Short and few: whoever calls the driver repeats by its own rules. */
const RETRY = { initialRetryTime: 10, factor: 0, multiplier: 2, maxRetryTime: 100, retries: 3 }
const OWN_REQUESTS = {
  produce: fastProduce,
  fetch: ownDecoder,
  txnOffsetCommit: commitOfMember,
  offsetFetch: stableOffsets,
}
const CONNECTION_TIMEOUT_MS = 3000
const REQUEST_TIMEOUT_MS = 15_000
/** A fetch waits for records for a moment only, so a reader need not wait long for a broker that is dead. */
const FETCH_TIMEOUT_MS = 4000

/** @throws BROKER_UNREACHABLE naming the addresses, after `connectTimeoutMs` at the latest. */
export async function connectKafkajs(options: DriverOptions): Promise<KafkaDriver> {
  const kafkajs = await load()
  const newCluster = clusterFactory(kafkajs, options, REQUEST_TIMEOUT_MS)
  const newReading = clusterFactory(kafkajs, options, FETCH_TIMEOUT_MS)
  const cluster = newCluster()
  await connectWithin(cluster, options)
  return driverOn({ cluster, newCluster, openReader: () => new KafkajsReader(newReading()), logger: options.logger })
}

async function load(): Promise<Kafkajs> {
  try {
    const loaded: Kafkajs & { readonly default?: Kafkajs } = await import('kafkajs')
    return loaded.default ?? loaded
  } catch (cause) {
    throw new DuologError('DEPENDENCY_MISSING', 'kafka:// needs the package "kafkajs": npm install kafkajs@2.2.4', {
      cause,
    })
  }
}

/** kafkajs's own factory of cluster objects, kept under a symbol of its client. */
function clusterFactory(kafkajs: Kafkajs, options: DriverOptions, requestTimeout: number): () => LowCluster {
  const config: KafkaConfig = {
    brokers: [...options.brokers],
    clientId: options.clientId,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout,
    retry: RETRY,
    ssl: options.ssl === undefined ? false : typeof options.ssl === 'boolean' ? options.ssl : { ...options.ssl },
    ...(options.sasl !== undefined && { sasl: options.sasl as SASLOptions }),
    logLevel: kafkajs.logLevel.INFO,
    logCreator: bridgeTo(options.logger, kafkajs.logLevel),
  }
  const client = new kafkajs.Kafka(config)
  const symbol = Object.getOwnPropertySymbols(client).find(({ description }) => description?.endsWith('createCluster'))
  const create: unknown = symbol === undefined ? undefined : Reflect.get(client, symbol)
  if (typeof create !== 'function') {
    throw new DuologError('DEPENDENCY_MISSING', 'duolog needs kafkajs 2.2.4 exactly: npm install kafkajs@2.2.4')
  }
  return () =>
    tellWhyNoCoordinator(
      withOwnRequests(
        forgivingMetadata(curedConnections(create({ allowAutoTopicCreation: false, metadataMaxAge: 300_000 }))),
        OWN_REQUESTS,
      ),
    )
}

/** kafkajs's errors are what its callers handle already, so they are no more than warnings here. */
function bridgeTo(logger: Logger, levels: typeof logLevel): LogCreator {
  return () =>
    ({ level, namespace, log: { message, timestamp: _timestamp, logger: _logger, stack: _stack, ...fields } }) => {
      const entry = { ...fields, source: `kafkajs ${namespace}` }
      if (level === levels.ERROR || level === levels.WARN) logger.debug({ ...entry, level }, message)
      else logger.debug(entry, message)
    }
}

interface CoordinatorSought {
  groupId: string
  coordinatorType: 0 | 1
}

type BrokerThatFinds = RequestBroker & { findGroupCoordinator(sought: CoordinatorSought): Promise<unknown> }

/**
 * Where no coordinator is found kafkajs keeps the reason to itself, also when it is that access is denied, which no
 * waiting cures. So the reason is asked for.
 */
function tellWhyNoCoordinator(cluster: LowCluster): LowCluster {
  const find = cluster.findGroupCoordinator.bind(cluster)
  cluster.findGroupCoordinator = async (sought) => {
    try {
      return await find(sought)
    } catch (error) {
      if (typeOf(error) !== undefined) throw error
      const broker = (await cluster.findControllerBroker()) as BrokerThatFinds
      await broker.findGroupCoordinator(sought)
      throw error
    }
  }
  return cluster
}
