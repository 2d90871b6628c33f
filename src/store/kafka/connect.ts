import type { Logger } from '../../core/logger.ts'
import { connectDriver } from '../../kafka/connect-driver.ts'
import type { KafkaDriver } from '../../kafka/driver.ts'
import type { KafkaConnection } from './connection.ts'

const CONNECT_TIMEOUT_MS = 5000

/** @throws BROKER_UNREACHABLE within 10 s, DEPENDENCY_MISSING. */
export function connect(connection: KafkaConnection, logger: Logger): Promise<KafkaDriver> {
  const { brokers, clientId = 'duolog', ssl, sasl: mechanism = 'plain', username, password = '' } = connection
  const sasl = username === undefined ? undefined : { mechanism, username, password }
  const options = { brokers, clientId, logger, connectTimeoutMs: CONNECT_TIMEOUT_MS, ssl, sasl }
  return connectDriver(connection.driver ?? 'kafkajs', options)
}
