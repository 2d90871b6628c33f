import { expectTypeOf } from 'vitest'
import * as z from 'zod'
import { defineCatalogue, defineEvent, type EventOf } from '../../src/core/catalogue.ts'
import type { Decider } from '../../src/core/decider.ts'
import { deadLetterEvents } from '../../src/processing/dead-letter.ts'
import { listDeadLetters, listDeadLetterTopics, redriveDeadLetters } from '../../src/processing/dead-letters.ts'
import { startInlineProjection } from '../../src/processing/inline-projection.ts'
import { processEvents } from '../../src/processing/process-events.ts'
import { defineProcessManager } from '../../src/processing/process-manager.ts'
import { defineProjection, type Projected } from '../../src/processing/projection.ts'
import { startProcessManager } from '../../src/processing/start-process-manager.ts'
import { startBatchProcessor, startProcessor } from '../../src/processing/start-processor.ts'
import { startProjection } from '../../src/processing/start-projection.ts'
import { createCommandHandler } from '../../src/store/command-handler.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { ProjectionSpecification } from '../../src/testing/projection-specification.ts'
import { type AccountEvent, type Command, catalogue, closed, deposited } from './account.ts'

/*
 * A store whose catalogue has what processing writes, too, beside definitions typed by one's own events. `npm run
 * typecheck` runs this file; nothing here is ever called.
 */

const events = defineCatalogue([deposited, closed, ...processEvents, ...deadLetterEvents])
const renamed = defineEvent({ name: 'Renamed', data: z.object({ to: z.string() }) })
const more = defineCatalogue([deposited, closed, renamed, ...processEvents])

declare const decider: Decider<number, Command, AccountEvent>

const sums = defineProjection({
  name: 'sums',
  events: catalogue,
  initialState: () => ({ cents: 0 }),
  handlers: {
    Deposited: (row, { data }) => ({ cents: row.cents + data.cents }),
    Closed: (_row, { data }) => {
      expectTypeOf(data).toEqualTypeOf<{ reason: string }>()
      return undefined
    },
  },
})
const newest = defineProjection({
  name: 'newest',
  initialState: () => ({ type: '' }),
  evolve: (_row, { type }: AccountEvent) => ({ type }),
})
const refunds = defineProcessManager({
  name: 'refunds',
  initialState: () => ({ cents: 0 }),
  evolve: ({ cents }, event: AccountEvent) => ({ cents: event.type === 'Deposited' ? event.data.cents : cents }),
  correlate: ({ correlationId }) => correlationId,
  steps: {
    refund: { command: () => ({ topic: 'bank', type: 'Refund', data: {} }), doneBy: ['Refunded'] },
    letter: { command: () => ({ topic: 'mails', type: 'Send', data: {} }), doneBy: ['Sent'] },
  },
  nextActions: (_, { steps }) => {
    if (steps.refund === 'completed') return [{ kind: 'start', step: 'letter' }]
    // @ts-expect-error: no such step
    if (steps.refnud === 'failed') return [{ kind: 'complete' }]
    return [{ kind: 'start', step: 'refund' }]
  },
})

export async function takesAStoreThatKnowsMore(): Promise<void> {
  const store = await openEventStore('memory:', { events })
  const { handle } = createCommandHandler({ store, decider })
  const handled = await handle('a', { type: 'Close' })
  expectTypeOf(handled.events).toEqualTypeOf<readonly AccountEvent[]>()
  startProjection({ store, projection: sums })
  await startInlineProjection({ store, projection: sums })
  startProcessManager({ store, manager: refunds })
  startProcessor({
    store,
    group: 'g',
    handler: async ({ type, data }: Projected<AccountEvent>, { append }) => {
      await append('b', [closed.create({ reason: type })])
      // @ts-expect-error: only one of the events has it
      data.cents
    },
  })
  startBatchProcessor({ store, group: 'g', handleBatch: async (_batch: readonly Projected<AccountEvent>[]) => {} })
  await redriveDeadLetters(store, 'mails', { by: 'me' })
  await listDeadLetters(store, 'mails')
  await listDeadLetterTopics(store)
}

export async function takesAnyStore(): Promise<void> {
  const store = await openEventStore('memory:')
  const { handle } = createCommandHandler({ store, decider })
  await handle('a', { type: 'Close' })
  startProjection({ store, projection: sums })
  await listDeadLetters(store, 'mails')
  startProcessor<AccountEvent>({
    store,
    group: 'g',
    topics: ['accounts'],
    handler: async ({ type }) => console.log(type),
  })
}

/** Without an annotation the events are the store's. */
export async function infersFromTheStore(): Promise<void> {
  const store = await openEventStore('memory:', { events: catalogue })
  startProcessor({
    store,
    group: 'g',
    handler: async ({ data, type }) => {
      expectTypeOf(type).toEqualTypeOf<'Deposited' | 'Closed'>()
      // @ts-expect-error: only one of the events has it
      data.cents
    },
  })
  createCommandHandler({
    store,
    decider: {
      initialState: () => 0,
      decide: (command: Command, _state) => [closed.create({ reason: command.type })],
      evolve: (state, _event) => state + 1,
    },
  })
}

export async function neverHandsOutWhatIsNotExpected(): Promise<void> {
  const store = await openEventStore('memory:', { events })
  // @ts-expect-error: evolve meets what process managers write, too
  startProjection({ store, projection: newest })
  const wide = await openEventStore('memory:', { events: more })
  startProjection({ store: wide, projection: sums })
  // @ts-expect-error: evolve meets Renamed, too
  startProcessManager({ store: wide, manager: refunds })
  // @ts-expect-error: it is handed Renamed, too
  startProcessor({ store: wide, group: 'g', handler: async (_message: Projected<AccountEvent>) => {} })
  const narrow = await openEventStore('memory:', { events: defineCatalogue([deposited]) })
  // @ts-expect-error: the store does not know Closed
  createCommandHandler({ store: narrow, decider })
  startProjection({ store: narrow, projection: newest })
}

export function infersFromHandlers(): void {
  const annotated = defineProjection({
    name: 'annotated',
    initialState: () => ({ cents: 0 }),
    handlers: {
      Deposited: (row, { data }: Projected<EventOf<typeof deposited>>) => ({ cents: row.cents + data.cents }),
      Closed: (row, event: EventOf<typeof closed>) => (event.data.reason === '' ? row : undefined),
    },
  })
  const given = ProjectionSpecification.for(annotated)
  given([{ type: 'Deposited', data: { cents: 1, at: new Date() } }]).thenRows({ 'stream-1': { cents: 1 } })
  // @ts-expect-error: the data of another event
  given([{ type: 'Deposited', data: { reason: '' } }])
  ProjectionSpecification.for(sums)([{ type: 'Closed', data: { reason: '' } }]).thenRows({})
  // @ts-expect-error: no such event
  ProjectionSpecification.for(sums)([{ type: 'Closd', data: { reason: '' } }])
  // @ts-expect-error: no such event in the catalogue
  defineProjection({ name: 'typo', events: catalogue, initialState: () => 0, handlers: { Closd: (row) => row } })
  defineProjection({
    name: 'plain',
    initialState: () => 0,
    handlers: {
      Deposited: (row, { data }) => {
        expectTypeOf(data).toEqualTypeOf<unknown>()
        return row + 1
      },
    },
  })
}

export function infersStepsFromSteps(): void {
  defineProcessManager({
    name: 'typo',
    initialState: () => 0,
    evolve: (state, _event: AccountEvent) => state,
    correlate: ({ correlationId }) => correlationId,
    steps: { refund: { command: () => ({ topic: 'bank', type: 'Refund', data: {} }), doneBy: ['Refunded'] } },
    // @ts-expect-error: no such step
    nextActions: (_state) => [{ kind: 'start', step: 'refnud' }],
  })
}
