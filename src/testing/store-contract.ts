import { appendingTests } from './contract/appending.ts'
import { atomicityTests } from './contract/atomicity.ts'
import { consumingTests } from './contract/consuming.ts'
import { ContractContext, type ContractLog, type ContractTest, type Lacking } from './contract/contract-test.ts'
import { followingTests } from './contract/following.ts'
import { givingUpTests } from './contract/giving-up.ts'
import { lifecycleTests } from './contract/lifecycle.ts'
import { ownCheckpointTests } from './contract/own-checkpoints.ts'
import { readingTests } from './contract/reading.ts'
import { refusingTests } from './contract/refusing.ts'
import { repeatingTests } from './contract/repeating.ts'
import { snapshotTests } from './contract/snapshots.ts'
import { waitingTests } from './contract/waiting.ts'

/*
 * The contract of the EventStore port: what every backing does. A sentence of the port without a test here is a wish.
 */

export type { ContractLog, Lacking }

/** What the suite needs of a test runner: vitest, jest, mocha and node:test all have it. */
export interface ContractRunner {
  /** Groups tests. */
  describe(name: string, body: () => void): void
  /** Declares a test. */
  it: {
    (name: string, body: () => Promise<void>): void
    /** For what a backing lacks. Without it such tests pass empty. */
    readonly skip?: (name: string, body: () => Promise<void>) => void
  }
  /** Called once, inside the `describe`: `afterAll` or `after`. */
  afterAll(body: () => Promise<void>): void
}

/** Options of {@link storeContract}. */
export interface StoreContractOptions {
  /** Shown as the name of the suite. */
  readonly name: string
  /** Of your test runner. */
  readonly runner: ContractRunner
  /** Makes the log the suite runs on; called once. */
  readonly createLog: () => Promise<ContractLog>
  /** What the backing cannot do, with the reason. The tests that need it are left out and say so. */
  readonly lacks?: Partial<Record<Lacking, string>>
  /** How long to wait for what must happen. Default 20,000. */
  readonly timeoutMs?: number
}

const SECTIONS: Readonly<Record<string, readonly ContractTest[]>> = {
  reading: readingTests,
  appending: appendingTests,
  repeating: repeatingTests,
  'all or nothing': atomicityTests,
  consuming: consumingTests,
  subscribing: followingTests,
  snapshots: snapshotTests,
  'checkpoints outside the log': ownCheckpointTests,
  'waiting and presence': waitingTests,
  'giving up': givingUpTests,
  'opening and closing': lifecycleTests,
  'refusing bad input': refusingTests,
}

const DEFAULT_TIMEOUT_MS = 20_000

/**
 * Declares the contract suite for one backing.
 *
 * @example
 * import { afterAll, describe, it } from 'vitest'
 * storeContract({
 *   name: 'memory',
 *   runner: { describe, it, afterAll },
 *   createLog: async () => ({ open: (options) => openEventStore('memory:contract', options) }),
 * })
 */
export function storeContract(options: StoreContractOptions): void {
  const { runner, timeoutMs = DEFAULT_TIMEOUT_MS } = options
  const opened = openOnce(options)
  runner.describe(`EventStore contract: ${options.name}`, () => {
    runner.afterAll(opened.close)
    for (const [section, tests] of Object.entries(SECTIONS)) {
      runner.describe(section, () => {
        for (const test of tests)
          declare(test, options, async () => {
            const { store, log } = await opened.get()
            const context = new ContractContext(store, log, timeoutMs)
            try {
              await context.within(test.run(context), 'the test to end', 3 * timeoutMs)
            } finally {
              await context.cleanUp()
            }
          })
      })
    }
  })
}

function declare(test: ContractTest, { runner, lacks = {} }: StoreContractOptions, body: () => Promise<void>): void {
  const lacking = test.needs?.find((need) => lacks[need] !== undefined)
  if (lacking === undefined) runner.it(test.name, body)
  else (runner.it.skip ?? runner.it)(`(left out: ${lacks[lacking]}) ${test.name}`, async () => {})
}

/** One log and one store for all tests, opened by the first of them. */
function openOnce({ createLog }: StoreContractOptions) {
  const open = async () => {
    const log = await createLog()
    return { log, store: await log.open() }
  }
  let opening: ReturnType<typeof open> | undefined
  const get = () => {
    opening ??= open()
    return opening
  }
  const close = async () => {
    if (opening === undefined) return
    const { log, store } = await opening
    await store.close()
    await log.remove?.()
  }
  return { get, close }
}
