import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { type Logger, silentLogger } from '../../src/core/logger.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { PartitionLog } from '../../src/store/kafka/partition-log.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { startProgram } from '../support/program.ts'
import { ONE_PARTITION } from './appender.ts'
import type { IndexReaderTask } from './index-reader.ts'
import { plainClient } from './log-check.ts'

const brokers = kafkaBrokers.split(',')

describeKafka('reading', () => {
  it('takes nothing from who writes: no ownership is lost to readers, however many read', async () => {
    const prefix = uniquePrefix('undisturbed')
    const lost: string[] = []
    const debug = (_fields: object, message: string) => void (message.startsWith('Lost') && lost.push(message))
    const logger: Logger = { ...silentLogger, debug }
    const open = () => openKafkaStore({ brokers, prefix }, { topics: ONE_PARTITION, logger })
    const [writer, ...readers] = await Promise.all([open(), open(), open()])
    let writing = true
    const reading = readers.map(async (reader) => {
      let reads = 0
      while (writing) {
        for await (const { streamPosition } of reader.readStream('s', { from: 1 + reads })) reads = streamPosition
        await reader.aggregateStream('s', { initialState: () => 0, evolve: (count) => count + 1 })
      }
      return reads
    })
    for (let n = 1; n <= 100; n++) await writer.appendToStream('s', [{ type: 'Counted', data: n }])
    writing = false
    for (const reads of await Promise.all(reading)) expect(reads).toBeGreaterThan(0)
    expect(lost).toEqual([])
    // The log that would tell does: another writer takes over, and the first one hears of it.
    await readers[0]?.appendToStream('s', [{ type: 'Counted', data: 101 }])
    await writer.appendToStream('s', [{ type: 'Counted', data: 102 }])
    expect(lost).toHaveLength(1)
    await Promise.all([writer, ...readers].map((store) => store.close()))
  })

  it('whoever waits for a version is woken by one that comes between its look and its wait', async () => {
    const connection = { brokers, prefix: uniquePrefix('woken') }
    const store = await openKafkaStore(connection, { topics: ONE_PARTITION, logger: silentLogger })
    const { versionOf } = PartitionLog.prototype
    const look = vi.spyOn(PartitionLog.prototype, 'versionOf').mockImplementationOnce(async function (
      this: PartitionLog,
      stream,
    ) {
      const seen = await versionOf.call(this, stream)
      await store.appendToStream(stream, [{ type: 'Counted', data: 1 }])
      return seen
    })
    try {
      expect(await store.waitForVersion('s', 1, { signal: AbortSignal.timeout(10_000) })).toBe(1)
      expect(look).toHaveBeenCalled()
    } finally {
      look.mockRestore()
      await store.close()
    }
  })

  it('one stream with a replica in a file never has the partition in memory; without, all of it', async () => {
    const [prefix, size] = [uniquePrefix('bounded'), 256]
    const directory = await mkdtemp(join(tmpdir(), 'duolog-bounded-'))
    const store = await openKafkaStore({ brokers, prefix }, { topics: ONE_PARTITION, logger: silentLogger })
    const text = 'x'.repeat(64 * 1024)
    try {
      for (let n = 0; n < size; n++) {
        const share = Array.from({ length: 16 }, () => ({ type: 'Filled', data: { n, text } }))
        await store.appendToStream(n % 50 === 0 ? 'wanted' : `other-${n}`, share)
      }
      const measured = await Promise.all(
        [{ directory }, {}].map(async (replica) => {
          const task: IndexReaderTask = { brokers: kafkaBrokers, prefix, stream: 'wanted', ...replica }
          const reader = startProgram(new URL('./index-reader.ts', import.meta.url), task)
          expect(await reader.ended).toMatchObject({ code: 0 })
          return JSON.parse(reader.lines.at(-1) ?? '') as { readonly events: number; readonly megabytes: number }
        }),
      )
      const [inFile, inMemory] = measured.map(({ megabytes }) => megabytes)
      expect(measured.map(({ events }) => events)).toEqual([96, 96])
      expect(inFile).toBeLessThan(size)
      expect(inMemory).toBeGreaterThan(size)
    } finally {
      await store.close()
      await rm(directory, { recursive: true, force: true })
      const admin = plainClient(kafkaBrokers).admin()
      await admin.connect()
      await admin.deleteTopics({ topics: [`${prefix}session.events`] })
      await admin.disconnect()
    }
  })
})
