import { expectTypeOf } from 'vitest'
import type { Decider } from '../../src/core/decider.ts'
import { createCommandHandler } from '../../src/store/command-handler.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { type AccountEvent, type Command, catalogue, closed, deposited } from './account.ts'

/*
 * What must not compile. `npm run typecheck` runs this file: an unused @ts-expect-error is an error. Nothing here is
 * ever called.
 */

export function neverDefine(): void {
  // @ts-expect-error: a field is missing
  deposited.create({ cents: 1 })
  // @ts-expect-error: a field has the wrong type
  closed.create({ reason: 7 })
  // @ts-expect-error: no data
  closed.create()
}

export async function neverAppend(): Promise<void> {
  const store = await openEventStore('memory:', { events: catalogue })
  await store.appendToStream('a', [closed.create({ reason: 'moved' })])
  await store.appendToStream('a', [{ type: 'Closed', data: { reason: 'moved' }, correlationId: 'c' }])
  // @ts-expect-error: no such event
  await store.appendToStream('a', [{ type: 'Closd', data: { reason: 'moved' } }])
  // @ts-expect-error: the data of another event
  await store.appendToStream('a', [{ type: 'Deposited', data: { reason: 'moved' } }])
  // @ts-expect-error: the timestamp is text
  await store.appendToStream('a', [{ ...closed.create({ reason: '' }), timestamp: new Date() }])
  // @ts-expect-error: no such expectation
  await store.appendToStream('a', [], { expectedStreamVersion: 'STREAM_EXIST' })
}

export async function neverRead(): Promise<void> {
  const store = await openEventStore('memory:', { events: catalogue })
  for await (const event of store.readStream('a')) {
    if (event.type === 'Deposited') expectTypeOf(event.data.at).toEqualTypeOf<Date>()
    // @ts-expect-error: no such event
    if (event.type === 'Withdrawn') return
    // @ts-expect-error: only one of the events has it
    event.data.cents
    expectTypeOf(event.streamPosition).toEqualTypeOf<number>()
  }
}

export async function neverHandle(decider: Decider<number, Command, AccountEvent>): Promise<void> {
  const store = await openEventStore('memory:', { events: catalogue })
  const { handle } = createCommandHandler({ store, decider })
  await handle('a', { type: 'Deposit', cents: 1 })
  // @ts-expect-error: no such command
  await handle('a', { type: 'Withdraw', cents: 1 })
  // @ts-expect-error: the command's data is wrong
  await handle('a', { type: 'Deposit', cents: '1' })
}

export const neverDecide: Decider<number, Command, AccountEvent> = {
  initialState: () => 0,
  // @ts-expect-error: decides an event that is not in the catalogue
  decide: (_command) => [{ type: 'Withdrawn', data: { cents: 1 } }],
  evolve: (state, event) => (event.type === 'Deposited' ? state + event.data.cents : state),
}
