/*
 * What TLS has against a connection, found in what the libraries made of it. Asking again changes nothing about it.
 */

export interface CertificateFlaw {
  /** Whose certificate is wrong. */
  readonly whose: 'broker' | 'client'
  readonly said: string
}

/** OpenSSL's verdicts on a chain, as Node names them, and Node's own on the name in a certificate. */
const OF_BROKER = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** The broker's alerts, in TLS 1.2 and 1.3. */
const OF_CLIENT = /^ERR_SSL_.*ALERT_(BAD_CERTIFICATE|CERTIFICATE_(REQUIRED|EXPIRED|REVOKED|UNKNOWN)|UNKNOWN_CA)$/

export function flawOfCertificate(error: unknown): CertificateFlaw | undefined {
  for (const { code, message } of chainOf(error)) {
    if (OF_BROKER.has(code)) return { whose: 'broker', said: message }
    if (OF_CLIENT.test(code)) return { whose: 'client', said: message.replaceAll(/\s+/g, ' ').trim() }
  }
  return undefined
}

interface Coded {
  readonly code: string
  readonly message: string
}

const DEEPEST = 6

/** The libraries wrap what Node said, and where they asked several brokers, more than one of it. */
function chainOf(error: unknown, depth = 0): readonly Coded[] {
  if (!(error instanceof Error) || depth > DEEPEST) return []
  const own = 'code' in error && typeof error.code === 'string' ? [{ code: error.code, message: error.message }] : []
  const inner = error instanceof AggregateError ? error.errors : [error.cause]
  return [...own, ...inner.flatMap((each) => chainOf(each, depth + 1))]
}
