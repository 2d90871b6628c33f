import type { KafkaDriverName } from '../../kafka/connect-driver.ts'
import type { SaslOptions } from '../../kafka/driver.ts'

/** Which cluster, and how its names are. What `kafka://…` URLs say. */
export interface KafkaConnection {
  /** `host:port`, at least one. */
  readonly brokers: readonly string[]
  /** The library that talks to the cluster: `kafkajs` (default) or `platformatic`, an optional peer. */
  readonly driver?: KafkaDriverName | undefined
  /** `create` (default): missing topics are made, and said so; `require`: they are an error. */
  readonly topics?: 'create' | 'require' | undefined
  /** Partitions of the event topic, where the options define none. Default: 6. */
  readonly eventPartitions?: number | undefined
  /** Of the topics it makes. Default: the broker's own. */
  readonly replicationFactor?: number | undefined
  /** Stands before the name of every topic, group and transactional id. Default: none. */
  readonly prefix?: string | undefined
  /** Default: duolog. */
  readonly clientId?: string | undefined
  /** TLS to every broker. Default: false, or true where one of the files below is named. */
  readonly ssl?: boolean | undefined
  /** A file (PEM) with the certificates of the authorities to trust, instead of those that Node trusts. */
  readonly sslCa?: string | undefined
  /** A file (PEM) with the certificate this client shows to a broker that asks for one; goes with `sslKey`. */
  readonly sslCert?: string | undefined
  /** A file (PEM) with the key of `sslCert`, without a password. */
  readonly sslKey?: string | undefined
  /** How it logs in. Default: not at all. */
  readonly sasl?: SaslOptions['mechanism'] | undefined
  /** With `sasl`. */
  readonly username?: string | undefined
  /** With `sasl`. */
  readonly password?: string | undefined
}
