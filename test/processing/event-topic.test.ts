import { describe, expect, it } from 'vitest'
import type { AnyEvent } from '../../src/core/event.ts'
import { listDeadLetters, redriveDeadLetters } from '../../src/processing/dead-letters.ts'
import { startInlineProjection } from '../../src/processing/inline-projection.ts'
import { defineProjection } from '../../src/processing/projection.ts'
import { startProcessManager } from '../../src/processing/start-process-manager.ts'
import { startProcessor } from '../../src/processing/start-processor.ts'
import { startProjection } from '../../src/processing/start-projection.ts'
import { localLogs, until, workbench } from './logs.ts'
import { fulfilment, type ShopEvent } from './shop.ts'

const counts = defineProjection<{ readonly count: number }>({
  name: 'counts',
  initialState: () => ({ count: 0 }),
  evolve: ({ count }) => ({ count: count + 1 }),
})

for (const log of localLogs) {
  const bench = workbench()
  const open = <E extends AnyEvent>() => bench.open<E>(`${log.newUrl(bench.folder())}?eventTopic=my.events`)

  describe(`a store with another event topic: ${log.name}`, () => {
    it('a projection reads it, also inline', async () => {
      const store = await open()
      const view = bench.running(startProjection({ store, projection: counts }))
      const inline = bench.running(await startInlineProjection({ store, projection: { ...counts, name: 'inline' } }))
      const appended = await store.appendToStream('a', [{ type: 'Happened', data: null }])
      expect(await view.get('a', { after: appended })).toEqual({ count: 1 })
      expect((await view.status()).lag.map(({ topic }) => topic)).toContain('my.events')
      expect(await inline.get('a')).toEqual({ count: 1 })
    })

    it('a process manager hears it', async () => {
      const store = await open<ShopEvent>()
      const manager = bench.running(startProcessManager({ store, manager: fulfilment }))
      await store.appendToStream('o1', [{ type: 'OrderPlaced', data: { order: 'o1' } }])
      await until(async () => (await manager.load('o1')).steps.stock === 'started')
    })

    it.each([undefined, ['my.events']])(
      'a processor reads it, and what is redriven comes back (topics: %j)',
      async (topics) => {
        const store = await open()
        const handled: number[] = []
        let isMended = false
        bench.running(
          startProcessor({
            store,
            group: 'work',
            ...(topics && { topics }),
            retry: { maxAttempts: 1 },
            handler: async ({ data }, { redrives }) => {
              if (!isMended) throw new Error('not yet')
              handled.push(data as number, redrives)
            },
          }),
        )
        await store.appendToStream('a', [{ type: 'Happened', data: 7 }])
        await until(async () => (await listDeadLetters(store, 'my.events')).length === 1)
        isMended = true
        await redriveDeadLetters(store, 'my.events', { by: 'test' })
        await until(() => handled.length > 0)
        expect(handled).toEqual([7, 1])
      },
    )
  })
}
