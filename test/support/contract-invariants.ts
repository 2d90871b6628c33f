import { afterAll, describe, it } from 'vitest'
import type { ContractRunner } from '../../src/testing/store-contract.ts'

/** Of the store's contract what it says of appends (P2 to P5), to keep the time short where the rest has run; with DUOLOG_LONG=1 all of it. */
export const invariantsOnly: ContractRunner = {
  /** A section of which no test is left would be an error, so there is one level only. */
  describe(name, body) {
    if (name.startsWith('EventStore contract')) describe(name, body)
    else body()
  },
  it(name, body) {
    if (process.env.DUOLOG_LONG === '1' || /^P[2-5]\b/.test(name)) it(name, body)
  },
  afterAll,
}
