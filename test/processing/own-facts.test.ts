import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineCatalogue, defineEvent } from '../../src/core/catalogue.ts'
import { deadLetterStream } from '../../src/processing/dead-letter.ts'
import { defineProcessManager } from '../../src/processing/process-manager.ts'
import { startProcessManager } from '../../src/processing/start-process-manager.ts'
import { startProcessor } from '../../src/processing/start-processor.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { localLogs, until, workbench } from './logs.ts'

type Fact = { readonly type: string; readonly data: { readonly id?: string } }

/** Names that a process manager and dead letters use as well. */
const NAMES = ['MessageSent', 'StepCompleted', 'StepFailed', 'ProcessCompleted', 'TimerFired', 'DeadLettered']

const mail = defineProcessManager({
  name: 'mail',
  initialState: () => ({ heard: [] as readonly string[] }),
  evolve: ({ heard }, { type }: Fact) => ({ heard: [...heard, type] }),
  correlate: ({ data }) => data.id,
  steps: {},
  nextActions: ({ heard }) => (heard.includes('Ended') ? [{ kind: 'complete' }] : []),
})

for (const log of localLogs) {
  const bench = workbench()
  const write = (store: EventStore<Fact>, stream: string, types: readonly string[]) =>
    store.appendToStream(
      stream,
      types.map((type) => ({ type, data: { id: 'm1' } })),
    )

  describe(`events whose names are used by processing, too: ${log.name}`, () => {
    it("a user's events reach every handler, whatever they are called", async () => {
      const store = await bench.open<Fact>(log.newUrl(bench.folder()))
      const handled: string[] = []
      const handler = async ({ stream, type }: { stream?: string; type: string }) =>
        void handled.push(`${stream} ${type}`)
      bench.running(startProcessor({ store, group: 'all', handler }))
      const manager = bench.running(startProcessManager({ store, manager: mail }))
      await write(store, 'chat:m1', [...NAMES, 'Ended'])
      await until(async () => (await manager.load('m1')).status === 'completed')
      expect((await manager.load('m1')).state.heard).toEqual([...NAMES, 'Ended'])
      await until(() => handled.includes('chat:m1 Ended'))
      expect(handled.filter((line) => line.startsWith('chat:m1'))).toEqual(
        [...NAMES, 'Ended'].map((name) => `chat:m1 ${name}`),
      )
    })

    it('what processes and dead letters write about themselves reaches none', async () => {
      const store = await bench.open<Fact>(log.newUrl(bench.folder()))
      const manager = bench.running(startProcessManager({ store, manager: mail }))
      await write(store, 'a', ['Begun'])
      await until(async () => (await manager.load('m1')).state.heard.length === 1)
      await write(store, deadLetterStream('some.topic'), ['DeadLettered'])
      await write(store, 'a', ['Ended'])
      await until(async () => (await manager.load('m1')).status === 'completed')
      const handled: string[] = []
      const handler = async ({ key, type }: { key: string; type: string }) => {
        handled.push(`${key} ${type}`)
      }
      bench.running(startProcessor({ store, group: 'all', handler }))
      await write(store, 'a', ['Last'])
      await until(() => handled.includes('a Last'))
      expect(handled).toEqual(['a Begun', 'a Ended', 'a Last'])
      expect((await manager.load('m1')).state.heard).toEqual(['Begun', 'Ended'])
    })

    it('a processor whose catalogue has none of them does not wait for one it could read', async () => {
      const url = log.newUrl(bench.folder())
      const store = await bench.open<Fact>(url)
      const manager = bench.running(startProcessManager({ store, manager: mail }))
      await write(store, 'a', ['Ended'])
      await until(async () => (await manager.load('m1')).status === 'completed')
      const events = defineCatalogue(
        ['Ended', 'Last'].map((name) => defineEvent({ name, data: z.object({ id: z.string() }) })),
      )
      const typed = (await bench.open(url, events)) as unknown as EventStore<Fact>
      const handled: string[] = []
      const handler = async ({ type }: Fact) => void handled.push(type)
      bench.running(startProcessor({ store: typed, group: 'typed', handler }))
      await write(typed, 'a', ['Last'])
      await until(() => handled.includes('Last'))
      expect(handled).toEqual(['Ended', 'Last'])
      // The name alone is no reason to pass over what cannot be read.
      const errors: unknown[] = []
      bench.running(
        startProcessor({ store: typed, group: 'loud', handler, onError: (error) => void errors.push(error) }),
      )
      await write(store, 'a', ['StepCompleted'])
      await until(() => errors.length > 0)
      expect(errors[0]).toMatchObject({ code: 'UNKNOWN_EVENT_TYPE' })
    })
  })
}
