import { describe, expectTypeOf, it } from 'vitest'
import type { EventOf } from '../../src/core/catalogue.ts'
import type { Event } from '../../src/core/event.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { type AccountEvent, catalogue, type closed } from './account.ts'

describe('types', () => {
  it('of events come from the catalogue', () => {
    expectTypeOf<AccountEvent>().toEqualTypeOf<
      Event<'Deposited', { cents: number; at: Date }> | Event<'Closed', { reason: string }>
    >()
    expectTypeOf<EventOf<typeof closed>>().toEqualTypeOf<Event<'Closed', { reason: string }>>()
    expectTypeOf(openEventStore('memory:', { events: catalogue })).toEqualTypeOf<Promise<EventStore<AccountEvent>>>()
    expectTypeOf(openEventStore('memory:')).toEqualTypeOf<Promise<EventStore>>()
  })
})
