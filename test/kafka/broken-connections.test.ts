import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import type { KafkaDriverName } from '../../src/kafka/connect-driver.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { type NativeCluster, startNativeCluster } from '../support/broker-cluster.ts'
import { describeNative, uniquePrefix } from '../support/kafka.ts'
import { SmallProxy } from '../support/small-proxy.ts'

/*
 * A store whose connections break in ways that no closing tells of, or in the middle of an answer: it must be whole
 * again without being opened anew (C1, C2 of kafkajs-connections.ts).
 */

const DRIVERS: readonly KafkaDriverName[] = ['kafkajs', 'platformatic']
const EVENTS = 40
const EVENT_BYTES = 40_000
/** Only the answer to a fetch of such events comes in pieces of this size. */
const PIECE_BYTES = 16_000

describeNative('broken connections', () => {
  let cluster: NativeCluster
  let proxy: SmallProxy
  const stores: EventStore[] = []

  beforeAll(async () => {
    cluster = await startNativeCluster({ brokers: 1, proxied: true })
    const door = cluster.nodes[0]?.door
    proxy = await SmallProxy.listen(door?.proxyPort ?? 0, door?.brokerPort ?? 0)
  }, 120_000)

  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()))
  }, 60_000)

  afterAll(async () => {
    await proxy?.close()
    await cluster?.stop()
  }, 60_000)

  async function open(driver: KafkaDriverName, brokers: string, prefix: string): Promise<EventStore> {
    const topics = { 'session.events': { partitions: 1 } }
    const store = await openKafkaStore({ brokers: [brokers], prefix, driver }, { topics, logger: silentLogger })
    stores.push(store)
    return store
  }

  describe.each(DRIVERS)('%s', (driver) => {
    it('an answer torn in the middle spoils no later one', async () => {
      const prefix = uniquePrefix()
      const whole = await open(driver, cluster.address, prefix)
      const events = Array.from({ length: EVENTS }, () => ({ type: 'Filled', data: { text: 'x'.repeat(EVENT_BYTES) } }))
      await whole.appendToStream('filled', events)
      const torn = await open(driver, cluster.proxiedAddress, prefix)
      proxy.tearAnswer(PIECE_BYTES)
      const appended = await torn.appendToStream('filled', [{ type: 'Added', data: {} }])
      expect(appended.currentStreamVersion).toBe(EVENTS + 1)
      expect(proxy.tears).toBe(false)
    }, 90_000)

    it('connections that fell silent for ever are replaced', async () => {
      const store = await open(driver, cluster.proxiedAddress, uniquePrefix())
      await store.appendToStream('before', [{ type: 'Added', data: {} }])
      proxy.forsake()
      const appended = await store.appendToStream('after', [{ type: 'Added', data: {} }])
      expect(appended.currentStreamVersion).toBe(1)
    }, 90_000)
  })
})
