import type { Decider } from '../../src/core/decider.ts'
import type { Event } from '../../src/core/event.ts'
import { createCommandHandler } from '../../src/store/command-handler.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { timed } from '../report.ts'
import { EVENT_TYPE, eventData } from './workload.ts'

type OrderPlaced = Event<typeof EVENT_TYPE, typeof eventData>

const decider: Decider<number, 'place', OrderPlaced> = {
  initialState: () => 0,
  decide: () => [{ type: EVENT_TYPE, data: eventData }],
  evolve: (count) => count + 1,
}

/** Load + decide + append on one stream again and again; returns commands per second. */
export async function commandsPerSecond(store: EventStore, stream: string, commands: number): Promise<number> {
  const handler = createCommandHandler<number, 'place', OrderPlaced>({ store, decider })
  const { currentStreamVersion } = await handler.load(stream)
  const ms = await timed(async () => {
    for (let n = 0; n < commands; n++) await handler.handle(stream, 'place')
  })
  const after = await handler.load(stream)
  if (after.state !== currentStreamVersion + commands)
    throw new Error(`${after.state} events after ${commands} commands`)
  return (commands * 1000) / ms
}
