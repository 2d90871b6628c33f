import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { TopicDescription } from '../../src/kafka/driver.ts'
import { watchEventTopic } from '../../src/store/kafka/event-topic-watch.ts'

const sound: TopicDescription = {
  topic: 'session.events',
  partitions: 6,
  replicationFactor: 1,
  cleanupPolicy: 'delete',
  retentionMs: -1,
  config: new Map(),
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('says once what somebody did to the event topic while a store is open, and again when it comes back', async () => {
  const said: string[] = []
  let answer: () => readonly TopicDescription[] = () => [sound]
  const stop = watchEventTopic({
    driver: { describeTopics: async () => answer() },
    topic: 'session.events',
    partitions: 6,
    logger: { debug() {}, info() {}, warn() {}, error: (_fields, message) => void said.push(message) },
    everyMs: 1000,
  })
  const after = async (next: () => readonly TopicDescription[]) => {
    answer = next
    await vi.advanceTimersByTimeAsync(2000)
    return said.splice(0)
  }
  expect(await after(() => [sound])).toEqual([])
  expect(await after(() => [{ ...sound, retentionMs: 1000 }])).toEqual([
    expect.stringContaining('deletes events after 1000 ms'),
  ])
  expect(await after(() => [{ ...sound, cleanupPolicy: 'compact' }])).toEqual([expect.stringContaining('at once')])
  expect(await after(() => [{ ...sound, partitions: 12 }])).toEqual([
    expect.stringContaining('12 partitions by now, 6 when this store opened'),
  ])
  expect(
    await after(() => {
      throw new Error('the broker is away')
    }),
  ).toEqual([])
  expect(await after(() => [])).toEqual([expect.stringContaining('is gone')])
  expect(await after(() => [sound])).toEqual([])
  expect(await after(() => [])).toEqual([expect.stringContaining('is gone')])
  stop()
  expect(await after(() => [{ ...sound, retentionMs: 5 }])).toEqual([])
})
