import type { Event } from '../../src/core/event.ts'
import { onReach } from '../../src/core/reach.ts'
import { defineProcessManager } from '../../src/processing/process-manager.ts'
import { startProcessManager } from '../../src/processing/start-process-manager.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { settle, timed } from '../report.ts'

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

const AT_ONCE = 500

export interface TimersFired {
  /** Events a second that its process manager heard, each by a process of its own that starts a step and schedules a timer. */
  readonly heardPerSecond: number
  /** From the moment at which all timers are due until the last has fired, durably. */
  readonly firedMs: number
}

export async function timersDueAtOnce(store: EventStore, timers: number): Promise<TimersFired> {
  const clock = virtualClock()
  const typed = store as unknown as EventStore<Asked>
  await ask(typed, timers)
  const began = performance.now()
  const manager = startProcessManager({ store: typed, manager: patience, clock })
  await reached('process.observe.done', timers)
  const heardPerSecond = (timers * 1000) / (performance.now() - began)
  while (manager.pendingTimers < timers) await new Promise((resolve) => setTimeout(resolve, 50))
  await settle()
  const firedMs = await timed(() => {
    clock.advance(3_600_001)
    return reached('process.fire.done', timers)
  })
  await manager.stop()
  return { heardPerSecond, firedMs }
}

async function ask(store: EventStore<Asked>, questions: number): Promise<void> {
  for (let n = 0; n < questions; n += AT_ONCE) {
    const one = (_: unknown, m: number) =>
      store.appendToStream(`q${n + m}`, [{ type: 'Asked', data: { question: `q${n + m}` } }])
    await Promise.all(Array.from({ length: AT_ONCE }, one))
  }
}

/** Resolves when the point was reached so often. */
async function reached(wanted: string, times: number): Promise<void> {
  const all = Promise.withResolvers<void>()
  let count = 0
  const stop = onReach((point) => {
    if (point === wanted && ++count === times) all.resolve()
  })
  await all.promise
  stop()
}
