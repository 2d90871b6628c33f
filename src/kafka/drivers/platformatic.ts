import { isIP } from 'node:net'
import { DuologError } from '../../core/errors.ts'
import type { DriverOptions, KafkaDriver, SaslOptions } from '../driver.ts'
import { connectWithin } from './connect-within.ts'
import { driverOn } from './driver-on.ts'
import { type Address, PlatformaticCluster } from './platformatic-cluster.ts'
import { type ConnectionOptions, loadPlatformatic } from './platformatic-library.ts'
import { PlatformaticReader } from './platformatic-reader.ts'

/*
 * The driver port on @platformatic/kafka 2.12.1. Its connections, its encoders and decoders; transactions, membership
 * and administration are the same code as with kafkajs, and so are their invariants.
 */

const CONNECTION_TIMEOUT_MS = 3000
const REQUEST_TIMEOUT_MS = 15_000
/** A fetch waits for records for a moment only, so a reader need not wait long for a broker that is dead. */
const FETCH_TIMEOUT_MS = 4000

const MECHANISMS = {
  plain: 'PLAIN',
  'scram-sha-256': 'SCRAM-SHA-256',
  'scram-sha-512': 'SCRAM-SHA-512',
} as const satisfies Record<SaslOptions['mechanism'], string>

/** @throws BROKER_UNREACHABLE naming the addresses, after `connectTimeoutMs` at the latest; DEPENDENCY_MISSING. */
export async function connectPlatformatic(options: DriverOptions): Promise<KafkaDriver> {
  const library = await loadPlatformatic()
  const brokers = options.brokers.map(toAddress)
  const { clientId, logger } = options
  const connection = connectionOptions(options)
  const newCluster = (requestTimeoutMs = REQUEST_TIMEOUT_MS) =>
    new PlatformaticCluster(library, { brokers, clientId, connection, requestTimeoutMs })
  const cluster = newCluster()
  await connectWithin(cluster, options)
  const openReader = () => new PlatformaticReader(newCluster(FETCH_TIMEOUT_MS))
  return driverOn({ cluster, newCluster, openReader, logger })
}

function connectionOptions({ brokers, ssl, sasl }: DriverOptions): ConnectionOptions {
  return {
    connectTimeout: CONNECTION_TIMEOUT_MS,
    ...(ssl !== undefined &&
      ssl !== false && { tls: ssl === true ? {} : { ...ssl }, tlsServerName: areNames(brokers) }),
    ...(sasl !== undefined && {
      sasl: { mechanism: MECHANISMS[sasl.mechanism], username: sasl.username, password: sasl.password },
    }),
  }
}

/** A broker behind a shared address is told by its name whom is meant; an IP address is no such name. */
function areNames(brokers: readonly string[]): boolean {
  return brokers.every((broker) => isIP(toAddress(broker).host) === 0)
}

function toAddress(broker: string): Address {
  const [, host, port] = /^\[?(.+?)\]?:(\d+)$/.exec(broker) ?? []
  if (host === undefined) throw new DuologError('INVALID_ARGUMENT', `The broker "${broker}" is not host:port.`)
  return { host, port: Number(port) }
}
