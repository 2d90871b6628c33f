import { afterAll, describe, expect, it } from 'vitest'
import type { EventStore } from '../../src/store/event-store.ts'
import { openMemoryStore } from '../../src/store/memory/memory-store.ts'
import { storeContract } from '../../src/testing/store-contract.ts'

/*
 * Does the suite catch a broken backing? Each of these is the memory store with one fault the field's stores were seen
 * with; each must fail the tests that are about it.
 */

type Append = EventStore['appendToStream']
type Break = (store: EventStore) => Partial<EventStore>

interface Fault {
  readonly what: string
  readonly breaks: Break
  /** Parts of the names of tests that must fail. */
  readonly caughtBy: readonly string[]
}

const FAULTS: readonly Fault[] = [
  {
    what: 'acknowledges before it is durable',
    breaks: ({ appendToStream }) => ({
      appendToStream: async (stream, events, options) => {
        setTimeout(() => void appendToStream(stream, events, options).catch(() => {}), 50)
        return { stream, firstStreamPosition: 1, currentStreamVersion: 1, createdNewStream: true, repeated: false }
      },
    }),
    caughtBy: ['each of 50 concurrent appends is in the log when it is acknowledged'],
  },
  {
    what: 'ignores STREAM_DOES_NOT_EXIST and STREAM_EXISTS',
    breaks: onAppend((append) => (stream, events, { expectedStreamVersion, ...rest } = {}) => {
      const checked = typeof expectedStreamVersion === 'number' ? { ...rest, expectedStreamVersion } : rest
      return append(stream, events, checked)
    }),
    caughtBy: ['of 20 racing creators exactly one wins', 'STREAM_EXISTS is refused'],
  },
  {
    what: 'tells a wrong current version in a conflict',
    breaks: onAppend(
      (append) => (stream, events, options) =>
        append(stream, events, options).catch((error) => {
          throw 'current' in error ? Object.assign(error, { current: error.expected }) : error
        }),
    ),
    caughtBy: ['a conflict is refused with the true current version', 'STREAM_EXISTS is refused'],
  },
  {
    what: 'makes a new fact of a repeated idempotency key',
    breaks: onAppend(
      (append) =>
        (stream, events, { idempotencyKey: _, ...rest } = {}) =>
          append(stream, events, rest),
    ),
    caughtBy: [
      'the same idempotency key twice',
      'ten callers with the same idempotency key',
      'sends its messages once',
    ],
  },
  {
    what: 'makes a new fact of a repeated event id',
    breaks: onAppend(
      (append) => (stream, events, options) =>
        append(
          stream,
          events.map(({ eventId: _, ...event }) => event),
          options,
        ),
    ),
    caughtBy: ['the same event id appended twice', 'known and new event ids'],
  },
  {
    what: 'answers a repeat with the version of now',
    breaks: onAppend((append, store) => async (stream, events, options) => {
      const appended = await append(stream, events, options)
      const { currentStreamVersion } = await store.appendToStream(stream, [])
      return appended.repeated ? { ...appended, currentStreamVersion } : appended
    }),
    caughtBy: ['the same idempotency key twice', 'the same event id appended twice'],
  },
  {
    what: 'loses outgoing messages',
    breaks: onAppend(
      (append) =>
        (stream, events, { outgoing: _, ...rest } = {}) =>
          append(stream, events, rest),
    ),
    caughtBy: ['messages leave together with the events'],
  },
  {
    what: 'sends the messages of a refused append',
    breaks: onAppend((append) => async (stream, events, options = {}) => {
      const { outgoing, ...rest } = options
      if (outgoing !== undefined) await append(stream, [], { outgoing })
      return append(stream, events, rest)
    }),
    caughtBy: ['an append refused for its version sends nothing'],
  },
  {
    what: 'commits a checkpoint without the append that carries it',
    breaks: onAppend((append) => async (stream, events, options = {}) => {
      const { checkpoint, ...rest } = options
      if (checkpoint !== undefined) await append(stream, [], { checkpoint })
      return append(stream, events, rest)
    }),
    caughtBy: ['an append refused for its version sends nothing and moves no checkpoint'],
  },
  {
    what: 'forgets the checkpoint an append carries',
    breaks: onAppend(
      (append) =>
        (stream, events, { checkpoint: _, ...rest } = {}) =>
          append(stream, events, rest),
    ),
    caughtBy: ['a checkpoint carried by an append is committed with it', 'the checkpoint of a former owner is refused'],
  },
  {
    what: 'has gaps in its versions',
    breaks: ({ readStream }) => ({
      readStream: async function* (stream, options) {
        for await (const event of readStream(stream, options)) {
          yield { ...event, streamPosition: event.streamPosition * 2 - 1 } as never
        }
      },
    }),
    caughtBy: ['concurrent appends to one stream leave no gap', 'a long stream comes back whole'],
  },
  {
    what: 'cannot use a stream after a conflict',
    breaks: ({ appendToStream }) => {
      const spoilt = new Set<string>()
      return {
        appendToStream: async (stream, events, options) => {
          if (spoilt.has(stream)) throw new Error('transaction already in progress')
          return appendToStream(stream, events, options).catch((error) => {
            spoilt.add(stream)
            throw error
          })
        },
      }
    },
    caughtBy: ['after a conflict the stream is usable'],
  },
  {
    what: 'lets one refused neighbour take the others down',
    breaks: ({ appendToStream }) => {
      let waiting: Promise<unknown> = Promise.resolve()
      return {
        appendToStream: (stream, events, options) => {
          const before = waiting
          const appended = before.then(() => appendToStream(stream, events, options))
          waiting = appended
          setTimeout(() => {
            waiting = Promise.resolve()
          })
          return appended
        },
      }
    },
    caughtBy: ['of 50 concurrent appends the refused ones cost nobody else'],
  },
  {
    what: 'lets busy reach the caller',
    breaks: ({ appendToStream }) => {
      let writing = 0
      return {
        appendToStream: async (stream, events, options) => {
          if (writing > 10) throw new Error('SQLITE_BUSY: database is locked')
          writing++
          await new Promise((resolve) => setTimeout(resolve, 1))
          return appendToStream(stream, events, options).finally(() => writing--)
        },
      }
    },
    caughtBy: ['concurrent appends to one stream leave no gap', 'of 50 concurrent appends'],
  },
  {
    what: 'skips a message whose handler failed',
    breaks: ({ consume }) => ({
      consume: (options) =>
        consume({
          ...options,
          handler: (message, context) =>
            options.handler(message, context).catch((error) => options.onError?.(error, message, 1)),
        }),
    }),
    caughtBy: ['a message whose handler failed comes again'],
  },
  {
    what: 'serialises what it was given after the call returned',
    breaks: onAppend((append) => async (stream, events, options) => {
      await Promise.resolve()
      return append(stream, events, options)
    }),
    caughtBy: ['data that is changed after the call is recorded as it was at the call'],
  },
  {
    what: 'never wakes those who wait for a version',
    breaks: ({ waitForVersion }) => ({
      waitForVersion: (stream, version) => (version === 0 ? waitForVersion(stream, version) : new Promise(() => {})),
    }),
    caughtBy: ['waitForVersion wakes up when the version comes', 'waitForVersion gives up with ABORTED'],
  },
  {
    what: 'goes on after close',
    breaks: () => ({ close: async () => {} }),
    caughtBy: ['after close every call is refused', 'close wakes those who wait'],
  },
]

describe('the contract suite catches a store that', () => {
  it.each(FAULTS)('$what', async ({ breaks, caughtBy }) => {
    const failed = await failuresOf(breaks, caughtBy)
    const missed = caughtBy.filter((part) => !failed.some((name) => name.includes(part)))
    expect(missed).toEqual([])
  })

  it('and lets one pass that is not broken', async () => {
    const failed = await failuresOf(
      () => ({}),
      FAULTS.flatMap(({ caughtBy }) => caughtBy),
    )
    expect(failed).toEqual([])
  })

  it('leaves out, by name and reason, what a backing says it lacks', () => {
    const names: string[] = []
    storeContract({
      name: 'lacking',
      runner: { describe: (_name, body) => body(), it: (name) => names.push(name), afterAll: () => {} },
      createLog: async () => ({ open: async () => openMemoryStore() }),
      lacks: { reopen: 'it lives in memory' },
    })
    const leftOut = names.filter((name) => name.startsWith('(left out: it lives in memory) '))
    expect(leftOut).toContain('(left out: it lives in memory) P6 the checkpoint outlives the store')
    expect(leftOut.length).toBeGreaterThan(2)
  })
})

function onAppend(change: (append: Append, store: EventStore) => Append): Break {
  return (store) => ({ appendToStream: change(store.appendToStream, store) })
}

let logs = 0

/** Runs the tests whose names contain one of `parts` on a broken memory store; returns the names of those that fail. */
async function failuresOf(breaks: Break, parts: readonly string[]): Promise<string[]> {
  const tests: { readonly name: string; readonly body: () => Promise<void> }[] = []
  const endings: (() => Promise<void>)[] = []
  const name = `broken-${++logs}`
  storeContract({
    name,
    runner: {
      describe: (_name, body) => body(),
      it: (name, body) => void tests.push({ name, body }),
      afterAll: (body) => void endings.push(body),
    },
    createLog: async () => ({ open: async (options) => broken(openMemoryStore({ ...options, name }), breaks) }),
    timeoutMs: 500,
  })
  const failed: string[] = []
  for (const test of tests.filter(({ name }) => parts.some((part) => name.includes(part)))) {
    await test.body().catch(() => failed.push(test.name))
  }
  for (const end of endings) await end()
  return failed
}

/** The store with some of its methods replaced. */
function broken(store: EventStore, breaks: Break): EventStore {
  const whole: EventStore = {
    backing: store.backing,
    eventTopic: store.eventTopic,
    followPartitions: (from, options) => store.followPartitions(from, options),
    presence: store.presence,
    snapshots: store.snapshots,
    readStream: (stream, options) => store.readStream(stream, options),
    appendToStream: (stream, events, options) => store.appendToStream(stream, events, options),
    aggregateStream: (stream, options) => store.aggregateStream(stream, options),
    listStreams: () => store.listStreams(),
    waitForVersion: (stream, version, options) => store.waitForVersion(stream, version, options),
    partitionEnds: (topic) => store.partitionEnds(topic),
    consume: (options) => store.consume(options),
    close: () => store.close(),
  }
  return { ...whole, ...breaks(whole) }
}

afterAll(() => expect(logs).toBeGreaterThan(FAULTS.length))
