import { fileURLToPath } from 'node:url'
import { didYouMean } from '../core/did-you-mean.ts'
import { DuologError } from '../core/errors.ts'

/*
 * The URL of a log, taken apart. Messages name the part that is wrong and the forms that are right, and never repeat
 * what stands before an `@` or in a query: passwords live there.
 */

export type StoreUrl = MemoryUrl | FileUrl | KafkaUrl

export interface MemoryUrl {
  readonly scheme: 'memory'
  readonly name?: string
  readonly parameters: UrlParameters<'memory'>
}

export interface FileUrl {
  readonly scheme: 'file'
  readonly path: string
  readonly parameters: UrlParameters<'file'>
}

export interface KafkaUrl {
  readonly scheme: 'kafka'
  /** `host:port` each, at least one. */
  readonly brokers: readonly string[]
  readonly username?: string
  readonly password?: string
  readonly parameters: UrlParameters<'kafka'>
}

/** How the text of a query parameter becomes its value; a text is what is wrong with it. */
type Parse<T> = (text: string) => { readonly value: T } | string

const text: Parse<string> = (given) => (given === '' ? 'must not be empty' : { value: given })
const flag: Parse<boolean> = (given) =>
  given === 'true' || given === 'false' ? { value: given === 'true' } : 'must be true or false'
const positive: Parse<number> = (given) =>
  /^[1-9]\d{0,8}$/.test(given) ? { value: Number(given) } : 'must be an integer from 1'
function oneOf<const T extends string>(...allowed: readonly T[]): Parse<T> {
  return (given) => {
    const value = allowed.find((one) => one === given)
    return value === undefined ? `must be one of ${allowed.join(', ')}` : { value }
  }
}

const PARAMETERS = {
  memory: { eventTopic: text, leaseMs: positive },
  file: {
    eventTopic: text,
    leaseMs: positive,
    /** How long another program's lock is waited for before LOG_BUSY. Default 60,000. */
    busyTimeoutMs: positive,
  },
  kafka: {
    eventTopic: text,
    leaseMs: positive,
    /** The library that talks to the cluster. Default: kafkajs. */
    driver: oneOf('kafkajs', 'platformatic'),
    /** Of the event topic, where it has not the default number. */
    eventPartitions: positive,
    /** A folder for the replica's files. Default: in memory. */
    replica: text,
    /** `create` (default): missing topics are made; `require`: a missing topic is an error. */
    topics: oneOf('create', 'require'),
    /** Replicas of the topics it makes. Default: the broker's own. */
    replicationFactor: positive,
    /** Stands before every topic's name. */
    prefix: text,
    clientId: text,
    ssl: flag,
    /** Files in PEM: whom to trust; the certificate of this client, and its key. Each means ssl=true. */
    sslCa: text,
    sslCert: text,
    sslKey: text,
    sasl: oneOf('plain', 'scram-sha-256', 'scram-sha-512'),
  },
} as const

type Scheme = keyof typeof PARAMETERS
export type UrlParameters<S extends Scheme> = {
  readonly [K in keyof (typeof PARAMETERS)[S]]?: (typeof PARAMETERS)[S][K] extends Parse<infer T> ? T : never
}

const FORMS: Record<Scheme, string> = {
  memory: 'memory: or memory:NAME',
  file: 'file:./run.db, file:/absolute/run.db or file:///absolute/run.db',
  kafka: 'kafka://host:9092 or kafka://user:password@host1:9092,host2:9092/?ssl=true&sasl=plain',
}

/** @throws UNKNOWN_URL_SCHEME or INVALID_URL. */
export function parseStoreUrl(url: string): StoreUrl {
  const scheme = typeof url === 'string' ? /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(url)?.[1]?.toLowerCase() : undefined
  if (scheme === undefined || !(scheme in PARAMETERS)) throw unknownScheme(scheme)
  const [address, query] = splitOnce(url.slice(scheme.length + 1), '?')
  if (scheme === 'memory') return memoryUrl(address, query)
  return scheme === 'file' ? fileUrl(address, query) : kafkaUrl(address, query)
}

function memoryUrl(address: string, query: string): MemoryUrl {
  const name = decode('memory', 'name', address.replace(/^\/\//, ''))
  return { scheme: 'memory', ...(name !== '' && { name }), parameters: parseParameters('memory', query) }
}

function fileUrl(address: string, query: string): FileUrl {
  const path = address.startsWith('//') ? pathOfFileUrl(address) : decode('file', 'path', address)
  if (path === '' || path.endsWith('/')) throw invalidUrl('file', 'it names no file')
  return { scheme: 'file', path, parameters: parseParameters('file', query) }
}

function pathOfFileUrl(address: string): string {
  if (!address.startsWith('///')) throw invalidUrl('file', 'after file:// there must be an absolute path')
  try {
    return fileURLToPath(`file:${address}`)
  } catch {
    throw invalidUrl('file', 'its path cannot be decoded')
  }
}

function kafkaUrl(address: string, query: string): KafkaUrl {
  if (!address.startsWith('//')) throw invalidUrl('kafka', 'after kafka: there must be //')
  const at = address.lastIndexOf('@')
  const [hosts, path] = splitOnce(address.slice(Math.max(at + 1, 2)), '/')
  if (query.includes('@')) throw invalidUrl('kafka', 'an @ after the ? must be written %40, a ? before it %3F')
  if (path !== '') throw invalidUrl('kafka', 'a log on Kafka has no path, nothing may follow the /')
  const parameters = parseParameters('kafka', query)
  const credentials = at === -1 ? {} : parseCredentials(address.slice(2, at))
  if (parameters.sasl !== undefined && at === -1) {
    throw invalidUrl('kafka', 'with sasl= there must be a user and a password before the host')
  }
  return { scheme: 'kafka', brokers: hosts.split(',').map(parseBroker), ...credentials, parameters }
}

function parseCredentials(userInfo: string): { readonly username: string; readonly password: string } {
  const [username, password] = splitOnce(userInfo, ':')
  if (username === '' || password === '') {
    throw invalidUrl('kafka', 'before the @ there must be user:password, both percent-encoded')
  }
  return { username: decode('kafka', 'user', username), password: decode('kafka', 'password', password) }
}

const DEFAULT_KAFKA_PORT = 9092
const BROKER = /^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]+)(?::(\d{1,5}))?$/

function parseBroker(broker: string): string {
  const [, host, port = String(DEFAULT_KAFKA_PORT)] = BROKER.exec(broker) ?? []
  if (host === undefined) {
    // What follows the colon may be a password whose host was forgotten.
    const [name] = splitOnce(broker, ':')
    throw invalidUrl('kafka', broker === '' ? 'the host is missing' : `the broker "${name}" is not host:port`)
  }
  if (Number(port) < 1 || Number(port) > 65_535) throw invalidUrl('kafka', `${port} is not a port (1 to 65535)`)
  return `${host}:${port}`
}

function parseParameters<S extends Scheme>(scheme: S, query: string): UrlParameters<S> {
  const known: Readonly<Record<string, Parse<unknown>>> = PARAMETERS[scheme]
  const parameters: Record<string, unknown> = {}
  for (const [name, given] of new URLSearchParams(query)) {
    const parse = Object.hasOwn(known, name) ? known[name] : undefined
    if (parse === undefined) throw unknownParameter(scheme, name, Object.keys(known))
    if (name in parameters) throw invalidUrl(scheme, `the parameter ${name} is given twice`)
    const parsed = parse(given)
    if (typeof parsed === 'string') throw invalidUrl(scheme, `the parameter ${name} ${parsed}`)
    parameters[name] = parsed.value
  }
  return parameters as UrlParameters<S>
}

function unknownParameter(scheme: Scheme, name: string, known: readonly string[]): DuologError {
  const meant = didYouMean(name, known)
  return invalidUrl(scheme, `there is no parameter "${name}" (known: ${known.join(', ')}).${meant}`.replace(/\.$/, ''))
}

function unknownScheme(scheme: string | undefined): DuologError {
  const given = scheme === undefined ? 'A log is named by a URL' : `A log cannot be opened by "${scheme}:"`
  const meant = scheme === undefined ? '' : didYouMean(scheme, Object.keys(FORMS))
  const forms = Object.values(FORMS).join('; ')
  return new DuologError('UNKNOWN_URL_SCHEME', `${given}.${meant} Accepted are ${forms}.`)
}

function invalidUrl(scheme: Scheme, flaw: string): DuologError {
  const end = flaw.endsWith('?') ? '' : '.'
  return new DuologError(
    'INVALID_URL',
    `The ${scheme}: URL is not right: ${flaw}${end} It looks like ${FORMS[scheme]}.`,
  )
}

function decode(scheme: Scheme, part: string, encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    throw invalidUrl(scheme, `its ${part} cannot be decoded; write % as %25`)
  }
}

function splitOnce(value: string, separator: string): readonly [string, string] {
  const at = value.indexOf(separator)
  return at === -1 ? [value, ''] : [value.slice(0, at), value.slice(at + separator.length)]
}
