import type { Event } from '../../src/core/event.ts'
import { type Engine, loadBuilt, type OpenEngine } from './engine.ts'

/*
 * Ours, doing what the peers do and no more: a recorded step is one append to its session's stream, by the command handler
 * of the built package. No plan, no reservation, no review: `whole-sessions.ts` has those.
 */

type StepRecorded = Event<'StepRecorded', { readonly output: string }>

interface Built {
  readonly openEventStore: typeof import('../../src/store/open-event-store.ts').openEventStore
  readonly createCommandHandler: typeof import('../../src/store/command-handler.ts').createCommandHandler
}

export const recordedSteps: OpenEngine = async ({ packages, place, step }): Promise<Engine> => {
  const { openEventStore, createCommandHandler } = await loadBuilt<Built>(packages, 'index')
  const store = await openEventStore(place)
  const handler = createCommandHandler<number, string, StepRecorded>({
    store,
    decider: {
      initialState: () => 0,
      decide: (output) => [{ type: 'StepRecorded', data: { output } }],
      evolve: (done) => done + 1,
    },
  })
  return {
    async run(id, steps) {
      const { state: recorded } = await handler.load(`steps-${id}`)
      for (let number = recorded; number < steps; number++) {
        await handler.handle(`steps-${id}`, await step(id, number))
      }
    },
    close: () => store.close(),
  }
}
