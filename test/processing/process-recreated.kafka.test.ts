import { expect, it } from 'vitest'
import { DualAgentWorkflowSaga } from '../../src/agents/dual-agent-workflow-saga.ts'
import { startProcessManager } from '../../src/processing/start-process-manager.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { readTopic } from '../kafka/log-check.ts'
import { asAdmin, makeAnew } from '../kafka/make-anew.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { until, workbench } from './logs.ts'
import { COMMANDS, fulfilment, type ShopEvent } from './shop.ts'

/*
 * The event topic is deleted and made anew under what computes from it: it ends and says why; what is started then begins
 * with the new topic. Nothing is guessed. What did not run meanwhile cannot know it: Kafka forgets a group's offsets with
 * their topic, and all else a process manager has lay in it.
 */

const HOUR_MS = 3_600_000
const GROUP = `process.${fulfilment.name}`

/** One whose step waits for an hour. */
const patient = {
  ...fulfilment,
  steps: { ...fulfilment.steps, stock: { ...fulfilment.steps.stock!, timeoutMs: HOUR_MS } },
}
const place = (on: EventStore, order: string) => on.appendToStream(order, [{ type: 'OrderPlaced', data: { order } }])
const offsetsOf = (groupId: string, topic: string) =>
  asAdmin(async (admin) => {
    const [of] = await admin.fetchOffsets({ groupId, topics: [topic] })
    return of?.partitions.map(({ offset }) => Number(offset))
  })

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
    return { store: await open(), open, prefix, eventTopic: `${prefix}session.events` }
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

  /** Three orders were placed, their commands sent; then it was stopped, and the topic made anew. */
  async function stoppedBefore() {
    const { store, open, prefix, eventTopic } = await setUp()
    const manager = startProcessManager({ store: store as never as EventStore<ShopEvent>, manager: patient })
    for (const order of ['o1', 'o2', 'o3']) await place(store, order)
    await until(() => manager.pendingTimers === 3)
    await manager.stop()
    await store.close()
    const group = `${prefix}${GROUP}`
    expect(await offsetsOf(group, eventTopic)).toEqual([expect.toSatisfy((offset: number) => offset > 0)])
    await makeAnew(eventTopic)
    await expect.poll(() => offsetsOf(group, eventTopic)).toEqual([-1])
    const errors: unknown[] = []
    const start = (on: EventStore, clock = virtualClock()) => {
      const onError = (error: unknown) => void errors.push(error)
      const options = { store: on as never as EventStore<ShopEvent>, manager: patient, clock, onError }
      return bench.running(startProcessManager(options))
    }
    return { open, start, errors, group, prefix, eventTopic }
  }

  it('what was stopped before finds an empty log and no checkpoint: silent; what it had sent elsewhere is still there', async () => {
    const { open, start, errors, prefix } = await stoppedBefore()
    const store = await open()
    const clock = virtualClock()
    const manager = start(store, clock)
    await place(store, 'o4')
    await until(() => manager.pendingTimers === 1)
    // An answer to what was sent before: its process is a new one, which was asked for nothing.
    await store.appendToStream('o1', [{ type: 'StockReserved', data: { order: 'o1' } }])
    clock.advance(HOUR_MS)
    await until(async () => (await manager.load('o4')).steps.stock === 'timed-out')
    expect(await manager.load('o1')).toMatchObject({ steps: {}, started: [] })
    expect(errors).toEqual([])
    const sent = await readTopic(kafkaBrokers, `${prefix}${COMMANDS}`)
    expect(sent.map(({ value }) => JSON.parse(value).order).sort()).toEqual(['o1', 'o2', 'o3', 'o4'])
  })

  it('where its checkpoint outlived the topic, it ends, loudly, and hears nothing', async () => {
    const { open, start, errors, group, eventTopic } = await stoppedBefore()
    const partitions = [{ partition: 0, offset: '1000' }]
    await asAdmin((admin) => admin.setOffsets({ groupId: group, topic: eventTopic, partitions }))
    const store = await open()
    await place(store, 'o4')
    const manager = start(store)
    expect(await manager.ended).toMatchObject(ahead)
    expect(errors).toEqual([expect.objectContaining({ code: 'CHECKPOINT_AHEAD' })])
    expect(await manager.load('o4')).toMatchObject({ steps: {}, started: [] })
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
