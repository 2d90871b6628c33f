import type { Event } from '../../src/core/event.ts'
import { onReach } from '../../src/core/reach.ts'
import { defineProcessManager } from '../../src/processing/process-manager.ts'
import { startProcessManager } from '../../src/processing/start-process-manager.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { timed } from '../report.ts'

type Asked = Event<'Asked' | 'Answered', { question: string }>

const patience = defineProcessManager({
  name: 'patience',
  initialState: () => ({}),
  evolve: (state, _: Asked) => state,
  correlate: ({ data }) => data.question,
  steps: {
    answer: {
      command: ({ question }: { question?: string }) => ({ topic: 'questions', type: 'Ask', data: { question } }),
      doneBy: ['Answered'],
      timeoutMs: 3_600_000,
    },
  },
  nextActions: (_, { steps }) =>
    steps.answer === 'timed-out' ? [{ kind: 'complete' }] : [{ kind: 'start', step: 'answer' }],
})

const AT_ONCE = 100

/** Milliseconds from the moment at which so many timers are due until the last has fired, durably. */
export async function timersDueAtOnce(store: EventStore, timers: number): Promise<number> {
  const clock = virtualClock()
  const typed = store as unknown as EventStore<Asked>
  const manager = startProcessManager({ store: typed, manager: patience, clock })
  await manager.ready
  for (let n = 0; n < timers; n += AT_ONCE) {
    const ask = (_: unknown, m: number) =>
      typed.appendToStream(`q${n + m}`, [{ type: 'Asked', data: { question: `q${n + m}` } }])
    await Promise.all(Array.from({ length: AT_ONCE }, ask))
  }
  while (manager.pendingTimers < timers) await new Promise((resolve) => setTimeout(resolve, 50))
  const all = Promise.withResolvers<void>()
  let fired = 0
  const stop = onReach((point) => {
    if (point === 'process.fire.done' && ++fired === timers) all.resolve()
  })
  const ms = await timed(() => {
    clock.advance(3_600_001)
    return all.promise
  })
  stop()
  await manager.stop()
  return ms
}
