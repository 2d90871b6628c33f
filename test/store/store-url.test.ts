import { describe, expect, it } from 'vitest'
import { isDuologError } from '../../src/core/errors.ts'
import { parseStoreUrl } from '../../src/store/store-url.ts'

describe('parseStoreUrl', () => {
  it.each([
    ['memory:', { scheme: 'memory', parameters: {} }],
    ['memory:a%20b', { scheme: 'memory', name: 'a b', parameters: {} }],
    ['MEMORY:x?leaseMs=50', { scheme: 'memory', name: 'x', parameters: { leaseMs: 50 } }],
    ['file:./run.db', { scheme: 'file', path: './run.db', parameters: {} }],
    ['file:/tmp/a%20b.db', { scheme: 'file', path: '/tmp/a b.db', parameters: {} }],
    ['file:///tmp/%C3%BC.db?eventTopic=e', { scheme: 'file', path: '/tmp/ü.db', parameters: { eventTopic: 'e' } }],
    ['file:./a.db?busyTimeoutMs=250', { scheme: 'file', path: './a.db', parameters: { busyTimeoutMs: 250 } }],
    ['kafka://localhost', { scheme: 'kafka', brokers: ['localhost:9092'], parameters: {} }],
    [
      'kafka://localhost/?driver=platformatic',
      { scheme: 'kafka', brokers: ['localhost:9092'], parameters: { driver: 'platformatic' } },
    ],
    [
      'kafka://b1:1,b2:2,[::1]:3/?topics=require&ssl=true',
      { scheme: 'kafka', brokers: ['b1:1', 'b2:2', '[::1]:3'], parameters: { topics: 'require', ssl: true } },
    ],
    [
      'kafka://b:9093/?sslCa=./ca.pem&sslCert=me.pem&sslKey=/keys/me.key',
      {
        scheme: 'kafka',
        brokers: ['b:9093'],
        parameters: { sslCa: './ca.pem', sslCert: 'me.pem', sslKey: '/keys/me.key' },
      },
    ],
    [
      'kafka://ann:p%40ss%3Aw@b:9092?sasl=scram-sha-512',
      {
        scheme: 'kafka',
        brokers: ['b:9092'],
        username: 'ann',
        password: 'p@ss:w',
        parameters: { sasl: 'scram-sha-512' },
      },
    ],
  ])('reads %s', (url, expected) => {
    expect(parseStoreUrl(url)).toEqual(expected)
  })

  it.each([
    ['kafak://host', 'UNKNOWN_URL_SCHEME', /"kafak:"\. Did you mean "kafka"\? Accepted are memory:/],
    ['https://host', 'UNKNOWN_URL_SCHEME', /"https:"\. Accepted are/],
    ['run.db', 'UNKNOWN_URL_SCHEME', /named by a URL.*file:\.\/run\.db/],
    ['', 'UNKNOWN_URL_SCHEME', /named by a URL/],
    ['file:', 'INVALID_URL', /it names no file/],
    ['file:./folder/', 'INVALID_URL', /it names no file/],
    ['file://run.db', 'INVALID_URL', /absolute path/],
    ['file:./100%.db', 'INVALID_URL', /% as %25/],
    [
      'file:./a.db?lease=5',
      'INVALID_URL',
      /no parameter "lease" \(known: eventTopic, leaseMs, busyTimeoutMs\)\. Did you mean "leaseMs"\?/,
    ],
    ['file:./a.db?leaseMs=soon', 'INVALID_URL', /leaseMs must be an integer from 1/],
    ['file:./a.db?leaseMs=1&leaseMs=2', 'INVALID_URL', /leaseMs is given twice/],
    ['file:./a.db?toString=1', 'INVALID_URL', /no parameter "toString"/],
    ['kafka:host', 'INVALID_URL', /there must be \/\//],
    ['kafka://', 'INVALID_URL', /the host is missing/],
    ['kafka://a,,b', 'INVALID_URL', /the host is missing/],
    ['kafka://ho st:1', 'INVALID_URL', /the broker "ho st" is not host:port/],
    ['kafka://h:70000', 'INVALID_URL', /70000 is not a port/],
    ['kafka://h/topic', 'INVALID_URL', /no path/],
    ['kafka://h?topics=maybe', 'INVALID_URL', /topics must be one of create, require/],
    ['kafka://h?driver=kafka', 'INVALID_URL', /driver must be one of kafkajs, platformatic/],
    ['kafka://h?ssl=yes', 'INVALID_URL', /ssl must be true or false/],
    ['kafka://h?sslCa=', 'INVALID_URL', /sslCa must not be empty/],
    ['kafka://h?sasl=plain', 'INVALID_URL', /user and a password/],
    ['kafka://ann@h', 'INVALID_URL', /user:password/],
  ])('refuses %s with %s', (url, code, message) => {
    const error = refusalOf(url)
    expect(isDuologError(error, code as 'INVALID_URL')).toBe(true)
    expect((error as Error).message).toMatch(message)
  })

  it.each([
    'kafka://ann:SECRET@ho st:1',
    'kafka://ann:SEC?RET@host:1',
    'kafka://ann:SEC/RET@host:1/path',
    'kafka://ann:SECRET',
    'kafka://ann:SECRET%zz@host',
    'kafka://ann:x@host?password=SECRET',
    'kafak://ann:SECRET@host',
    'kafka://ann:SECRET@host?tpics=x',
  ])('never repeats a secret: %s', (url) => {
    expect(String(refusalOf(url))).not.toMatch(/SEC|RET/)
  })
})

function refusalOf(url: string): unknown {
  try {
    parseStoreUrl(url)
  } catch (error) {
    return error
  }
  throw new Error(`${url} was accepted`)
}
