import * as z from 'zod'
import { defineCatalogue, defineEvent, type EventOf } from '../../src/core/catalogue.ts'

export const deposited = defineEvent({ name: 'Deposited', data: z.object({ cents: z.number(), at: z.date() }) })
export const closed = defineEvent({
  name: 'Closed',
  version: 2,
  data: z.object({ reason: z.string() }),
  upcast: { 1: (old) => ({ reason: String(old.why) }) },
})
export const catalogue = defineCatalogue([deposited, closed])
export type AccountEvent = EventOf<typeof catalogue>
export type Command = { readonly type: 'Deposit'; readonly cents: number } | { readonly type: 'Close' }
