import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { type NativeBroker, startNativeBroker } from '../support/broker-native.ts'
import { describeNative, uniquePrefix } from '../support/kafka.ts'
import { type Certificate, makeCertificate, tlsProperties } from './certificates.ts'

/* Brokers that speak TLS only, with certificates nobody knows but their maker; the second one wants to see the client's. */

describeNative('brokers with TLS', () => {
  let dir: string
  let certificates: Record<'broker' | 'client' | 'stranger', Certificate>
  let plain: NativeBroker
  let mutual: NativeBroker

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'duolog-tls-'))
    const [broker, client, stranger] = await Promise.all(
      ['broker', 'client', 'stranger'].map((name) => makeCertificate(dir, name)),
    )
    if (!broker || !client || !stranger) throw new Error('Certificates are missing.')
    certificates = { broker, client, stranger }
    plain = await startNativeBroker({ properties: await tlsProperties(broker) })
    mutual = await startNativeBroker({ properties: await tlsProperties(broker, client) })
  })
  afterAll(async () => {
    await Promise.all([plain?.stop(), mutual?.stop()])
    await rm(dir, { recursive: true, force: true })
  })

  /** Opens, appends, and reads what was appended with a second store. */
  async function wentThrough(broker: NativeBroker, parameters: Readonly<Record<string, string>>): Promise<unknown[]> {
    const all = new URLSearchParams({ prefix: uniquePrefix('tls'), ...parameters })
    const open = () => openEventStore(`kafka://${broker.address}/?${all}`, { logger: silentLogger })
    const [writer, reader] = [await open(), await open()]
    try {
      await writer.appendToStream('s', [{ type: 'Said', data: { word: 'over TLS' } }])
      const found: unknown[] = []
      for await (const { data } of reader.readStream('s')) found.push(data)
      return found
    } finally {
      await Promise.all([writer.close(), reader.close()])
    }
  }

  it.each(['kafkajs', 'platformatic'])('with the authority named, %s appends and reads', async (driver) => {
    const { cert: sslCa } = certificates.broker
    expect(await wentThrough(plain, { driver, sslCa })).toEqual([{ word: 'over TLS' }])
  })

  it.each([
    ['kafkajs', 'nobody', { ssl: 'true' }],
    ['platformatic', 'nobody', { ssl: 'true' }],
    ['kafkajs', 'somebody else', { sslCa: 'stranger' }],
    ['platformatic', 'somebody else', { sslCa: 'stranger' }],
  ] as const)(
    '%s refuses a certificate that %s vouches for, at once, and says what to do',
    async (driver, _, given) => {
      const parameters = 'sslCa' in given ? { sslCa: certificates[given.sslCa].cert } : given
      const started = performance.now()
      await expect(wentThrough(plain, { driver, ...parameters })).rejects.toMatchObject({
        code: 'BROKER_REFUSED',
        message: expect.stringMatching(/certificate of the Kafka broker at 127.* is not trusted: .*sslCa=FILE/),
      })
      expect(performance.now() - started).toBeLessThan(4000) // one that is away is looked for longer
    },
  )

  it.each(['kafkajs', 'platformatic'])('without TLS %s gets no answer, and is told where to look', async (driver) => {
    await expect(wentThrough(plain, { driver })).rejects.toMatchObject({
      code: 'BROKER_UNREACHABLE',
      message: expect.stringMatching(/ssl=/),
    })
  })

  it.each(['kafkajs', 'platformatic'])('%s shows its own certificate to a broker that asks for it', async (driver) => {
    const { broker, client, stranger } = certificates
    const own = ({ cert, key }: Certificate) => ({ driver, sslCa: broker.cert, sslCert: cert, sslKey: key })
    expect(await wentThrough(mutual, own(client))).toEqual([{ word: 'over TLS' }])
    for (const parameters of [{ driver, sslCa: broker.cert }, own(stranger)]) {
      await expect(wentThrough(mutual, parameters)).rejects.toMatchObject({
        code: 'BROKER_REFUSED',
        message: expect.stringMatching(/did not take the certificate of this client: .*sslCert=FILE&sslKey=FILE/),
      })
    }
  })
})
