import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Logger, silentLogger } from '../../src/core/logger.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { type NativeBroker, startNativeBroker } from '../support/broker-native.ts'
import { describeNative } from '../support/kafka.ts'
import { securedProperties, securedTool } from './secured-broker.ts'

/*
 * A broker with accounts: who may do what, how fast, and what whoever may not is told. Everybody's password is made for
 * the run.
 */

const PASSWORDS = {
  admin: randomBytes(12).toString('hex'),
  writer: randomBytes(12).toString('hex'),
  reader: randomBytes(12).toString('hex'),
}

describeNative.each(['kafkajs', 'platformatic'] as const)('a broker with accounts, asked by %s', (driver) => {
  let broker: NativeBroker
  const opened: EventStore[] = []

  beforeAll(async () => {
    broker = await startNativeBroker({ properties: securedProperties(PASSWORDS) })
  })
  afterAll(async () => {
    await Promise.allSettled(opened.map((store) => store.close()))
    await broker.stop()
  })

  async function open(
    user: keyof typeof PASSWORDS,
    { password = PASSWORDS[user], topics = 'create' } = {},
    logger: Logger = silentLogger,
  ) {
    const url = `kafka://${user}:${password}@${broker.address}/?sasl=plain&prefix=acl.&topics=${topics}&driver=${driver}`
    const store = await openEventStore(url, { logger })
    opened.push(store)
    return store
  }

  const counted = (n: number, padding = '') => [{ type: 'Counted', data: { n, padding } }]

  it('opens with user and password; a wrong password is refused at once, and not repeated', async () => {
    const store = await open('admin')
    expect((await store.appendToStream('a', counted(1))).currentStreamVersion).toBe(1)
    const wrong = open('admin', { password: 'not-the-password' })
    await expect(wrong).rejects.toMatchObject({
      code: 'BROKER_REFUSED',
      message: expect.stringMatching(/Check user, password and the sasl mechanism/),
    })
    await wrong.catch((error: Error) => expect(error.message).not.toContain('not-the-password'))
  })

  it('names the operation and the resource to whoever may not even look', async () => {
    await expect(open('writer', { topics: 'require' })).rejects.toMatchObject({
      code: 'BROKER_REFUSED',
      message: expect.stringMatching(/needs Describe on the topic "acl\.[a-z.]+"/),
    })
  })

  it('reads with the right to read, and names what an append lacks; nothing is written', async () => {
    await securedTool(broker, PASSWORDS, [
      ...['Read', 'Describe', 'DescribeConfigs'].map((operation) => ({ operation, kind: 'Topic' as const })),
    ])
    const store = await open('reader', { topics: 'require' })
    const read: number[] = []
    for await (const event of store.readStream('a')) read.push(event.streamPosition)
    expect(read).toEqual([1])
    await expect(store.appendToStream('a', counted(2))).rejects.toMatchObject({
      code: 'BROKER_REFUSED',
      message: expect.stringMatching(
        /needs Write and Describe on the transactional id "duolog\.writer\.acl\.session\.events\.\d"/,
      ),
    })
    const after: number[] = []
    for await (const event of store.readStream('a')) after.push(event.streamPosition)
    expect(after).toEqual([1])
  })

  it('tells a consumer what its group lacks, and goes on once it is given', async () => {
    const told: string[] = []
    const note = (_: object, message: string) => void told.push(message)
    const logger = { ...silentLogger, warn: note, error: note }
    const store = await open('reader', { topics: 'require' }, logger)
    const heard: number[] = []
    store.consume({
      group: 'onlookers',
      topics: ['session.events'],
      from: 'beginning',
      handler: async (message) => void heard.push((message.data as { n: number }).n),
    })
    await expect
      .poll(() => told.join('\n'), { timeout: 20_000 })
      .toMatch(/needs Read and Describe on the group "acl\.onlookers"/)
    expect(heard).toEqual([])
    expect(told.filter((message) => message.includes('onlookers'))).toHaveLength(1)
    await securedTool(broker, PASSWORDS, [
      ...['Read', 'Describe'].map((operation) => ({ operation, kind: 'Group' as const })),
    ])
    await expect.poll(() => heard, { timeout: 30_000 }).toEqual([1])
  })

  it('an append that may not write one of its topics is refused whole, by name of that topic', async () => {
    await securedTool(broker, PASSWORDS, [
      ...['Write', 'Describe'].map((operation) => ({ operation, kind: 'TransactionalId' as const })),
    ])
    const store = await open('reader', { topics: 'require' })
    await expect(store.appendToStream('a', counted(2))).rejects.toMatchObject({
      code: 'BROKER_REFUSED',
      message: expect.stringMatching(/needs Write( and Describe)? on the topic "acl\.session\.events"/),
    })
    expect(await store.waitForVersion('a', 0)).toBe(1)
  })
})
