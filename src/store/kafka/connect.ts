import type { Logger } from '../../core/logger.ts'
import { connectDriver } from '../../kafka/connect-driver.ts'
import type { KafkaDriver } from '../../kafka/driver.ts'
import type { KafkaConnection } from './connection.ts'
import { tlsOf } from './tls-files.ts'

const CONNECT_TIMEOUT_MS = 5000

/** @throws BROKER_UNREACHABLE within 10 s, BROKER_REFUSED, DEPENDENCY_MISSING; INVALID_ARGUMENT for TLS files. */
export async function connect(connection: KafkaConnection, logger: Logger): Promise<KafkaDriver> {
  const { brokers, clientId = 'duolog', sasl: mechanism = 'plain', username, password = '' } = connection
  const ssl = await tlsOf(connection)
  const sasl = username === undefined ? undefined : { mechanism, username, password }
  const options = { brokers, clientId, logger, connectTimeoutMs: CONNECT_TIMEOUT_MS, ssl, sasl }
  return connectDriver(connection.driver ?? 'kafkajs', options)
}
