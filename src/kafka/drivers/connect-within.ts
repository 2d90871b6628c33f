import { DuologError } from '../../core/errors.ts'
import type { DriverOptions } from '../driver.ts'
import { type CertificateFlaw, flawOfCertificate } from './certificate-flaw.ts'
import { type RequestCluster, toKafkaError } from './kafkajs-internals.ts'

const RETRY_PAUSE_MS = 200
const SASL = new Set(['SASL_AUTHENTICATION_FAILED', 'UNSUPPORTED_SASL_MECHANISM', 'ILLEGAL_SASL_STATE'])

/**
 * @throws BROKER_UNREACHABLE naming the addresses and the reason, after `connectTimeoutMs` at the latest; BROKER_REFUSED
 *   at once where user, password, mechanism or a certificate are wrong.
 */
export async function connectWithin(
  cluster: RequestCluster,
  { brokers, connectTimeoutMs }: Pick<DriverOptions, 'brokers' | 'connectTimeoutMs'>,
): Promise<void> {
  const deadline = performance.now() + connectTimeoutMs
  let reason: unknown
  for (;;) {
    try {
      await within(deadline - performance.now(), cluster.connect())
      await within(deadline - performance.now(), cluster.refreshMetadata())
      return
    } catch (cause) {
      const final = refusalOf(brokers, cause)
      if (final !== undefined) throw await givenUp(cluster, final)
      if (!(reason instanceof Error) || !(cause instanceof LateError)) reason = cause
      if (performance.now() + RETRY_PAUSE_MS > deadline) throw await givenUp(cluster, unreachable(brokers, reason))
      await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS))
    }
  }
}

/** What asking again does not change. */
function refusalOf(brokers: readonly string[], cause: unknown): DuologError | undefined {
  if (SASL.has(toKafkaError(cause).type ?? '')) return refused(brokers, cause)
  const flaw = flawOfCertificate(cause)
  return flaw && notTrusted(brokers, flaw, cause)
}

async function givenUp(cluster: RequestCluster, error: DuologError): Promise<DuologError> {
  await cluster.disconnect().catch(() => {})
  return error
}

class LateError extends Error {}

function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LateError('No answer in time.')), Math.max(ms, 0))
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

function refused(brokers: readonly string[], cause: unknown): DuologError {
  const message = `The Kafka broker at ${brokers.join(', ')} refused the connection: ${toKafkaError(cause).message}. Check user, password and the sasl mechanism.`
  return new DuologError('BROKER_REFUSED', message, { cause })
}

function notTrusted(brokers: readonly string[], { whose, said }: CertificateFlaw, cause: unknown): DuologError {
  const at = brokers.join(', ')
  const message =
    whose === 'broker'
      ? `The certificate of the Kafka broker at ${at} is not trusted: ${said}. Name the file with the certificate of whoever signed it, sslCa=FILE, and address the broker as its certificate does.`
      : `The Kafka broker at ${at} did not take the certificate of this client: ${said}. Name the files of one it takes: sslCert=FILE&sslKey=FILE.`
  return new DuologError('BROKER_REFUSED', message, { cause })
}

function unreachable(brokers: readonly string[], cause: unknown): DuologError {
  const reason = cause instanceof Error ? ` (${cause.message})` : ''
  const message = `No Kafka broker answers at ${brokers.join(', ')}${reason}. Check the address, that the broker runs and its advertised address can be reached from here, and that ssl= is as it wants it.`
  return new DuologError('BROKER_UNREACHABLE', message, { cause, retry: { afterMs: 1000 } })
}
