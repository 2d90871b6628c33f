import { javaAnswers } from './broker-libraries.ts'
import { type NativeBroker, type NativeBrokerOptions, startNativeBroker } from './broker-native.ts'

/*
 * Finds a real Kafka broker for tests, demo and chaos, in this order:
 * 1. `KAFKA_BROKERS` (host:port[,host:port]), 2. testcontainers where Docker answers, 3. a native one where Java and
 * Maven are. Else there is none: a loud skip on a desk, a failure under CI=true.
 */

export interface Broker {
  /** host:port[,host:port] */
  readonly address: string
  readonly source: 'KAFKA_BROKERS' | 'docker' | 'native'
  /** Set when the broker is ours to kill and restart. */
  readonly native?: NativeBroker
  stop(): Promise<void>
}

const IMAGE = 'confluentinc/cp-kafka:8.1.0'

/** Starts (or finds) a broker. Rejects with what was tried when there is none. */
export async function startBroker(options: NativeBrokerOptions = {}): Promise<Broker> {
  const given = process.env.KAFKA_BROKERS
  if (given) return { address: given, source: 'KAFKA_BROKERS', stop: async () => {} }
  const tried: string[] = ['KAFKA_BROKERS is not set']
  const container = await startContainer().catch((error: unknown) => void tried.push(`Docker: ${messageOf(error)}`))
  if (container) return container
  if (!(await javaAnswers())) throw new NoBrokerError([...tried, 'native: no java on the PATH'])
  const native = await startNativeBroker(options).catch((error: unknown) => {
    throw new NoBrokerError([...tried, `native: ${messageOf(error)}`])
  })
  return { address: native.address, source: 'native', native, stop: () => native.stop() }
}

/** Starts a broker, or says loudly why there is none; under CI=true that is a failure. */
export async function startBrokerOrSkip(): Promise<Broker | undefined> {
  try {
    return await startBroker()
  } catch (error) {
    if (process.env.CI === 'true' || process.env.CI === '1') throw error
    process.stderr.write(`\n!! Kafka tests are SKIPPED. ${messageOf(error)}\n\n`)
    return undefined
  }
}

class NoBrokerError extends Error {
  constructor(tried: readonly string[]) {
    super(
      `No Kafka broker: ${tried.join('; ')}. Set KAFKA_BROKERS=host:port, start Docker, or install Java 17 and Maven.`,
    )
  }
}

async function startContainer(): Promise<Broker> {
  const { KafkaContainer } = await import('@testcontainers/kafka')
  const container = await new KafkaContainer(IMAGE)
    .withKraft()
    .withEnvironment({
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
    })
    .start()
  return {
    address: `${container.getHost()}:${container.getMappedPort(9093)}`,
    source: 'docker',
    stop: () => container.stop().then(() => undefined),
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
