import { expect, it } from 'vitest'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { ONE_PARTITION } from './appender.ts'

describeKafka('a slow handler', () => {
  it('P9 keeps its partition for longer than the session time-out, though another member waits for one', async () => {
    const prefix = uniquePrefix('slow')
    const brokers = kafkaBrokers.split(',')
    const open = () => openKafkaStore({ brokers, prefix }, { topics: ONE_PARTITION })
    const [one, two] = [await open(), await open()]
    const handled: string[] = []
    const consume = (store: typeof one, name: string) =>
      store.consume({
        group: 'g',
        topics: ['session.events'],
        handler: async ({ streamPosition, data }: { streamPosition?: number; data: unknown }) => {
          handled.push(`${name} begins ${streamPosition}`)
          await new Promise((resolve) => setTimeout(resolve, Number(data)))
          handled.push(`${name} ends ${streamPosition}`)
        },
      })
    const first = consume(one, 'first')
    await first.ready
    const second = consume(two, 'second')
    await second.ready
    await one.appendToStream(
      's',
      [12_000, 0].map((data) => ({ type: 'Slow', data })),
    )
    await expect.poll(() => handled.length, { timeout: 60_000 }).toBe(4)
    const [owner] = (handled[0] ?? '').split(' ')
    expect(handled).toEqual([`${owner} begins 1`, `${owner} ends 1`, `${owner} begins 2`, `${owner} ends 2`])
    await Promise.all([one.close(), two.close()])
  })
})
