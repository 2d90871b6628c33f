import { expect, it } from 'vitest'
import { DuologError } from '../../src/core/errors.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openMemoryStore } from '../../src/store/memory/memory-store.ts'
import { subscribe } from '../../src/store/subscribe.ts'

/* What the contract cannot ask of every backing: a log that is away. */

const away = () => new DuologError('BROKER_UNREACHABLE', 'No working Kafka broker right now')

it('S1 a subscription to a stream waits for a broker that is away, while it reads and while it waits', async () => {
  const memory = openMemoryStore({})
  const fails = { read: 2, wait: 1 }
  const store: EventStore = Object.create(memory, {
    readStream: {
      value: async function* (...args: Parameters<EventStore['readStream']>) {
        for await (const event of memory.readStream(...args)) {
          yield event
          if (fails.read-- > 0) throw away()
        }
      },
    },
    waitForVersion: {
      value: async (...args: Parameters<EventStore['waitForVersion']>) => {
        if (fails.wait-- > 0) throw away()
        return memory.waitForVersion(...args)
      },
    },
  })
  for (const n of [1, 2, 3]) await memory.appendToStream('s', [{ type: 'A', data: n }])
  const seen: unknown[] = []
  for await (const { data } of subscribe(store, { stream: 's' })) {
    seen.push(data)
    if (seen.length === 3) await memory.appendToStream('s', [{ type: 'A', data: 4 }])
    if (seen.length === 4) break
  }
  expect(seen).toEqual([1, 2, 3, 4])
  expect([fails.read, fails.wait].every((left) => left <= 0)).toBe(true)
  await memory.close()
})
