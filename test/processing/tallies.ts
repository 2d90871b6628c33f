import { defineProjection } from '../../src/processing/projection.ts'

export interface Tally {
  readonly count: number
  /** Of the last event applied. */
  readonly offset: number
}

/** A row per partition; an event applied twice, or behind a later one, throws. */
export const tallies = defineProjection<Tally>({
  name: 'tallies',
  key: ({ partition }) => `p${partition}`,
  initialState: () => ({ count: 0, offset: -1 }),
  evolve: ({ count, offset }, event) => {
    if (event.offset <= offset) throw new Error(`offset ${event.offset} after ${offset}`)
    return { count: count + 1, offset: event.offset }
  },
})
