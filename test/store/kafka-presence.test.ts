import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import type { FetchedRecord, KafkaDriver, PartitionEnd } from '../../src/kafka/driver.ts'
import { KafkaPresence } from '../../src/store/kafka/kafka-presence.ts'
import { Witnesses } from '../../src/store/kafka/witnesses.ts'

/* What others hear of a process that closes, on a topic that the test holds in its hand. */

const PLACE = { topic: 'duolog.presence', partition: 0 }

/** The topic of heartbeats; what is produced lies in it after `slow.produceMs`. */
function topicOfHeartbeats() {
  const records: FetchedRecord[] = []
  const slow = { produceMs: 0, offsetMs: 0 }
  let readers = 0
  const after = (ms: number) => new Promise((resolve) => void setTimeout(resolve, ms))
  const driver = {
    produce: async ([record]: Parameters<KafkaDriver['produce']>[0]) => {
      await after(slow.produceMs)
      if (record === undefined) return
      const { key, value } = record
      records.push({ offset: records.length, timestampMs: performance.now(), key, value, headers: {} })
    },
    offsetOf: async (_place: unknown, end: PartitionEnd) => {
      await after(slow.offsetMs)
      return end === 'latest' ? records.length : 0
    },
    openReader: () => {
      readers++
      const fetch = async ([position]: readonly { readonly offset: number }[]) => {
        const fromOffset = position?.offset ?? 0
        const [nextOffset, stableOffset, highWatermark] = [records.length, records.length, records.length]
        return [{ ...PLACE, fromOffset, records: records.slice(fromOffset), nextOffset, stableOffset, highWatermark }]
      }
      return { fetch, close: async () => void readers-- }
    },
  } as unknown as KafkaDriver
  const witnesses = new Witnesses(silentLogger, join(import.meta.filename, 'no folder'))
  const options = { driver, topic: PLACE.topic, leaseMs: 60_000, logger: silentLogger }
  const open = (seenBy = witnesses) => new KafkaPresence({ ...options, witnesses: seenBy })
  const said = () => records.map(({ value }) => JSON.parse(String(value)) as object)
  return { open, slow, said, driver, readers: () => readers }
}

describe('presence at close', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  /** Awaits what needs the time of the test to go on. */
  async function passing<T>(work: Promise<T>, ms = 1000): Promise<T> {
    work.catch(() => {})
    await vi.advanceTimersByTimeAsync(ms)
    return work
  }

  it('who closes is dead at once for others, all its owners, long before the lease is over', async () => {
    const { open } = topicOfHeartbeats()
    const [leaving, staying] = [open(), open()]
    for (const owner of ['one', 'two', 'two']) await passing(leaving.announce(owner))
    await passing(staying.liveness('one'))
    await vi.advanceTimersByTimeAsync(2000)
    expect([await passing(staying.liveness('one')), await passing(staying.liveness('two'))]).toEqual(['alive', 'alive'])
    await passing(leaving.close())
    expect([await passing(staying.liveness('one')), await passing(staying.liveness('two'))]).toEqual(['dead', 'dead'])
    await passing(staying.close())
  })

  it('who sees on its machine that a process ended tells those who cannot see it', async () => {
    const { open, said, driver } = topicOfHeartbeats()
    const near = new Witnesses(silentLogger, join(import.meta.filename, 'no folder'))
    const lost = vi.spyOn(near, 'saysDead').mockResolvedValue(false)
    const [neighbour, stranger] = [open(near), open()]
    const witness = { machine: 'near', id: '00000000-0000-4000-8000-000000000000' }
    const value = Buffer.from(JSON.stringify({ owners: ['killed'], witness }))
    await passing(driver.produce([{ ...PLACE, key: null, value, headers: {} }]))
    expect(await passing(neighbour.liveness('killed'))).toBe('unknown')
    expect(await passing(stranger.liveness('killed'))).toBe('unknown')
    lost.mockResolvedValue(true)
    expect(await passing(neighbour.liveness('killed'), 10)).toBe('dead')
    expect(said()).toContainEqual({ withdrawn: ['killed'] })
    expect(await passing(stranger.liveness('killed'), 10)).toBe('dead')
  })

  it('a heartbeat on its way is waited for, so that none comes after the withdrawal and says it lives', async () => {
    const { open, slow, said } = topicOfHeartbeats()
    const leaving = open()
    await passing(leaving.announce('owner'), 10)
    slow.produceMs = 700
    await vi.advanceTimersByTimeAsync(1500) // the next beat has left and has not arrived
    slow.produceMs = 0
    await passing(leaving.close())
    expect(said().slice(-2)).toEqual([{ owners: ['owner'] }, { withdrawn: ['owner'] }])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(said().at(-1)).toEqual({ withdrawn: ['owner'] })
  })

  it('who asks about others while it closes hears that, and leaves no reader behind', async () => {
    const { open, slow, readers } = topicOfHeartbeats()
    const closing = open()
    slow.offsetMs = 500
    const asked = closing.liveness('somebody').catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(100)
    await passing(closing.close())
    expect(await passing(asked)).toMatchObject({ code: 'STORE_CLOSED' })
    expect(readers()).toBe(0)
  })
})
