import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { InboxStore } from '../../src/processing/inbox.ts'
import { memoryInbox } from '../../src/processing/inbox.ts'
import { memoryViews } from '../../src/processing/memory-views.ts'
import type { ViewChange, ViewStore } from '../../src/processing/view-store.ts'
import { type CheckpointPlace, checkpointContract } from '../../src/testing/checkpoint-contract.ts'
import { inboxContract } from '../../src/testing/inbox-contract.ts'
import { viewStoreContract } from '../../src/testing/view-store-contract.ts'
import { sqlitePlace } from '../testing/checkpoint-places.ts'

/*
 * The suites for views, inboxes and checkpoints are worth something only if they fail what is broken.
 */

interface Fault<Port> {
  readonly what: string
  readonly breaks: (port: Port) => Partial<Port>
  /** Parts of the names of tests that must fail. */
  readonly caughtBy: readonly string[]
}

interface Declared {
  readonly name: string
  readonly body: () => Promise<void>
}

/** The names of the tests that fail. */
async function failuresOf(declare: (tests: Declared[]) => void): Promise<string[]> {
  const tests: Declared[] = []
  declare(tests)
  const failed: string[] = []
  for (const { name, body } of tests) await body().catch(() => failed.push(name))
  return failed
}

function runnerFor(tests: Declared[]) {
  return {
    describe: (_name: string, body: () => void) => body(),
    it: (name: string, body: () => Promise<void>) => void tests.push({ name, body }),
    afterAll: () => {},
  }
}

/** The object with some of its methods replaced; its getters stay. */
function broken<Port extends object>(port: Port, breaks: (port: Port) => Partial<Port>): Port {
  const faults: object = breaks(port)
  return new Proxy(port, {
    get: (target, name) => {
      const found = Reflect.get(name in faults ? faults : target, name) as unknown
      return typeof found === 'function' ? found.bind(name in faults ? faults : target) : found
    },
  })
}

function judged<Port>(faults: readonly Fault<Port>[], failures: (breaks: Fault<Port>['breaks']) => Promise<string[]>) {
  it.each(faults)('$what', async ({ breaks, caughtBy }) => {
    const failed = await failures(breaks)
    expect(caughtBy.filter((part) => !failed.some((name) => name.includes(part)))).toEqual([])
  })

  it('and lets one pass that is not broken', async () => {
    expect(await failures(() => ({}))).toEqual([])
  })
}

const VIEW_FAULTS: readonly Fault<ViewStore>[] = [
  {
    what: 'ignores where a change begins',
    breaks: (views) => ({
      async apply(build, change) {
        const stored = (await views.checkpoints(build)).find(({ partition }) => partition === change.partition)
        await views.apply(build, { ...change, from: stored?.offset })
      },
    }),
    caughtBy: ['V2 a change that does not begin at the stored checkpoint is refused'],
  },
  {
    what: 'promotes a build that is behind the live one',
    breaks: (views) => ({
      async promote(build) {
        const live = await views.live(build.name)
        if (live === undefined || (await views.promote(build))) return true
        // As if they had been compared to nothing.
        for (const { topic, partition, offset } of await views.checkpoints(live)) {
          const from = (await views.checkpoints(build)).find((place) => place.partition === partition)?.offset
          await views.apply(build, { topic, partition, from, to: offset, rows: () => new Map() })
        }
        return views.promote(build)
      },
    }),
    caughtBy: ['V3 one live build for each name'],
  },
  {
    what: 'moves the checkpoint though the rows could not be computed',
    breaks: (views) => ({
      async apply(build, change: ViewChange) {
        const failures: Error[] = []
        const rows: ViewChange['rows'] = (read) => {
          try {
            return change.rows(read)
          } catch (error) {
            failures.push(error as Error)
            return new Map()
          }
        }
        await views.apply(build, { ...change, rows })
        for (const failure of failures) throw failure
      },
    }),
    caughtBy: ['V1 what throws while it is computed changes nothing'],
  },
]

describe('the view store contract catches a store that', () => {
  judged(VIEW_FAULTS, (breaks) =>
    failuresOf((tests) =>
      viewStoreContract({
        name: 'broken',
        runner: runnerFor(tests),
        createViews: async () => ({ open: async () => broken(memoryViews(), breaks) }),
        shared: false,
      }),
    ),
  )
})

const INBOX_FAULTS: readonly Fault<InboxStore>[] = [
  {
    what: 'takes every message for new',
    breaks: (inbox) => ({
      begin: async (consumer, messageId) => {
        await inbox.begin(consumer, messageId)
        return 'new'
      },
    }),
    caughtBy: ['I1 an effect runs once per message and consumer', 'P7 an effect that was not seen to end'],
  },
  {
    what: 'takes what began for done',
    breaks: (inbox) => ({
      begin: async (consumer, messageId) => {
        const entry = await inbox.begin(consumer, messageId)
        return entry === 'begun' ? 'done' : entry
      },
    }),
    caughtBy: ['P7 an effect that was not seen to end', 'in doubt, with the policies retry and skip'],
  },
  {
    what: 'mixes up consumers',
    breaks: (inbox) => ({
      begin: (_consumer, messageId) => inbox.begin('all', messageId),
      finish: (_consumer, messageId) => inbox.finish('all', messageId),
    }),
    caughtBy: ['I1 an effect runs once per message and consumer'],
  },
]

describe('the inbox contract catches a store that', () => {
  judged(INBOX_FAULTS, (breaks) =>
    failuresOf((tests) =>
      inboxContract({
        name: 'broken',
        runner: runnerFor(tests),
        open: async (window) => broken(memoryInbox(window), breaks),
      }),
    ),
  )
})

const CHECKPOINT_FAULTS: readonly Fault<CheckpointPlace>[] = [
  {
    what: 'ignores where a change begins',
    breaks: (place) => ({
      apply: async (effect) => place.apply({ ...effect, from: await place.load(effect.topic, effect.partition) }),
    }),
    caughtBy: ['C2 a change that does not begin at the stored checkpoint'],
  },
  {
    what: 'stores the effect, then the checkpoint',
    breaks: (place) => ({
      async apply({ failing, ...effect }) {
        await place.apply({ ...effect, to: effect.from ?? 0 })
        if (failing) throw new Error('it fails')
        await place.apply({ ...effect, from: effect.from ?? 0, note: '' })
      },
    }),
    caughtBy: ['C1 what fails before its commit', 'C1 C2 each message of a log has its effect once'],
  },
  {
    what: 'knows partitions by number only',
    breaks: (place) => ({
      load: (_topic, partition) => place.load('t', partition),
      apply: (effect) => place.apply({ ...effect, topic: 't' }),
    }),
    caughtBy: ['partitions and topics do not see each other'],
  },
]

describe('the checkpoint contract catches a place that', () => {
  judged(CHECKPOINT_FAULTS, (breaks) =>
    failuresOf((tests) =>
      checkpointContract({
        name: 'broken',
        runner: runnerFor(tests),
        createPlace: async () => {
          const folder = mkdtempSync(join(tmpdir(), 'duolog-places-'))
          return {
            open: async () => broken(sqlitePlace(join(folder, 'mine.db')), breaks),
            remove: async () => rmSync(folder, { recursive: true, force: true }),
          }
        },
      }),
    ),
  )
})
