import { expect, it } from 'vitest'
import { DualAgentWorkflowSaga } from '../../src/agents/dual-agent-workflow-saga.ts'
import { startProcessManager } from '../../src/processing/start-process-manager.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { makeAnew } from '../kafka/make-anew.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { until, workbench } from './logs.ts'
import { fulfilment, type ShopEvent } from './shop.ts'

/*
 * The event topic is deleted and made anew under what computes from it: it ends and says why; what is started then begins
 * with the new topic. Nothing is guessed.
 */

describeKafka('an event topic made anew under process managers', () => {
  const bench = workbench()
  const ahead = { code: 'CHECKPOINT_AHEAD', message: expect.stringMatching(/made (anew|again)/) }

  async function setUp() {
    const prefix = uniquePrefix('recreated')
    const topics = { 'session.events': { partitions: 1 } }
    const open = async () => {
      const store = await openEventStore(`kafka://${kafkaBrokers}/?prefix=${prefix}`, { topics })
      bench.later(() => store.close())
      return store
    }
    return { store: await open(), open, eventTopic: `${prefix}session.events` }
  }

  it('a process manager ends, loudly; one that starts then hears the new topic from its beginning', async () => {
    const { store, open, eventTopic } = await setUp()
    const errors: unknown[] = []
    const start = (on: EventStore) => {
      const onError = (error: unknown) => void errors.push(error)
      return bench.running(
        startProcessManager({ store: on as never as EventStore<ShopEvent>, manager: fulfilment, onError }),
      )
    }
    const place = (on: EventStore, order: string) =>
      on.appendToStream(order, [{ type: 'OrderPlaced', data: { order } }])
    const manager = start(store)
    for (const order of ['o1', 'o2', 'o3']) await place(store, order)
    await until(async () => (await manager.load('o3')).steps.stock === 'started')
    await makeAnew(eventTopic)
    expect(await manager.ended).toMatchObject(ahead)
    expect(errors).toContainEqual(expect.objectContaining({ code: 'CHECKPOINT_AHEAD' }))
    expect(await manager.stopped).toBeUndefined()
    const reopened = await open()
    const next = start(reopened)
    await place(reopened, 'o4')
    await until(async () => (await next.load('o4')).steps.stock === 'started')
    expect(await next.load('o1')).toMatchObject({ steps: {}, started: [] })
  })

  it('so does the workflow saga, with its worker', async () => {
    const { store, eventTopic } = await setUp()
    const errors: unknown[] = []
    const prepared: string[] = []
    const workspace = {
      prepare: async ({ workflowId }: { workflowId: string }) => {
        prepared.push(workflowId)
        return '/work'
      },
      deliver: async () => {},
      discard: async () => {},
    }
    const saga = bench.running(
      new DualAgentWorkflowSaga({ store, workspace, onError: (error) => void errors.push(error) }),
    )
    await saga.request({ task: 'build it' }, 'wf-1')
    await until(async () => (await saga.status('wf-1')).steps.session === 'started')
    await makeAnew(eventTopic)
    expect(await saga.ended).toMatchObject(ahead)
    expect(await saga.stopped).toBeUndefined()
    expect(errors).toContainEqual(expect.objectContaining({ code: 'CHECKPOINT_AHEAD' }))
    expect(prepared).toEqual(['wf-1'])
  })
})
