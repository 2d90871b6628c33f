import assert from 'node:assert/strict'
import type { AnyEvent, RecordedMessage } from '../core/event.ts'
import type { OwnCheckpoints } from '../store/event-store.ts'
import { openMemoryStore } from '../store/memory/memory-store.ts'
import type { ContractRunner } from './store-contract.ts'

/*
 * The contract of a place where somebody keeps checkpoints beside effects: what `consume({ checkpoints })` stands on.
 *
 * C1 Effect and checkpoint change together or not at all. C2 A change that does not begin at the stored checkpoint is
 * refused: a former owner of a partition doubles nothing.
 */

/** An effect with the checkpoint that says it is there. */
export interface CheckpointedEffect {
  /** Where the message lies. */
  readonly topic: string
  /** Where the message lies. */
  readonly partition: number
  /** The checkpoint it begins at; nothing: the partition has none yet. */
  readonly from: number | undefined
  /** The checkpoint after it: the next offset to read. */
  readonly to: number
  /** Your effect: keep this text, behind those that are there. */
  readonly note: string
  /** Fail after the effect, before the commit: neither effect nor checkpoint may stay. */
  readonly failing?: boolean
}

/** A place for checkpoints and effects, as the suite sees it; write it over your own tables. */
export interface CheckpointPlace {
  /** Exactly what you give to `consume({ checkpoints: { load } })`. */
  readonly load: OwnCheckpoints['load']
  /** One transaction. Rejects, and nothing changed, when the stored checkpoint is not `from`, or when `failing`. */
  apply(effect: CheckpointedEffect): Promise<void>
  /** The notes of all partitions; those of one in their order. */
  notes(): Promise<readonly string[]>
  /** Called after each test, for each that was opened. */
  close?(): Promise<void>
}

/** Options of {@link checkpointContract}. */
export interface CheckpointContractOptions {
  /** Shown as the name of the suite. */
  readonly name: string
  /** `describe` and `it` of your test runner. */
  readonly runner: Pick<ContractRunner, 'describe' | 'it'>
  /** A new, empty place; called for each test. `open` may be called twice: two programs on the same tables. */
  readonly createPlace: () => Promise<{ open(): Promise<CheckpointPlace>; remove?(): Promise<void> }>
}

/**
 * Declares the contract suite for a place of checkpoints of your own.
 *
 * @example
 * import { describe, it } from 'vitest'
 * checkpointContract({ name: 'mine', runner: { describe, it }, createPlace: async () => ({ open: openMine }) })
 */
export function checkpointContract({ name, runner, createPlace }: CheckpointContractOptions): void {
  runner.describe(`Checkpoint contract: ${name}`, () => {
    for (const [title, body] of Object.entries(TESTS)) {
      runner.it(title, async () => {
        const place = await createPlace()
        const [one, other] = [await place.open(), await place.open()]
        try {
          await body(one, other)
        } finally {
          await one.close?.()
          await other.close?.()
          await place.remove?.()
        }
      })
    }
  })
}

const effect = (from: number | undefined, to: number, note: string): CheckpointedEffect => {
  return { topic: 't', partition: 0, from, to, note }
}

type Body = (one: CheckpointPlace, other: CheckpointPlace) => Promise<void>

const TESTS: Readonly<Record<string, Body>> = {
  'C1 a partition has no checkpoint at first, then the one that came with the last effect': async (one, other) => {
    assert.equal(await one.load('t', 0), undefined)
    await one.apply(effect(undefined, 3, 'a'))
    await one.apply(effect(3, 7, 'b'))
    for (const place of [one, other]) {
      assert.equal(await place.load('t', 0), 7)
      assert.deepEqual(await place.notes(), ['a', 'b'])
    }
  },
  'C1 what fails before its commit leaves neither effect nor checkpoint': async (one, other) => {
    await one.apply(effect(undefined, 3, 'a'))
    await assert.rejects(one.apply({ ...effect(3, 5, 'b'), failing: true }))
    assert.equal(await other.load('t', 0), 3)
    assert.deepEqual(await other.notes(), ['a'])
    await one.apply(effect(3, 5, 'c'))
    assert.deepEqual(await one.notes(), ['a', 'c'])
  },
  'C2 a change that does not begin at the stored checkpoint is refused and changes nothing': async (one, other) => {
    await assert.rejects(one.apply(effect(0, 3, 'a')))
    await one.apply(effect(undefined, 3, 'a'))
    for (const from of [undefined, 2, 4]) await assert.rejects(other.apply(effect(from, 9, 'b')))
    assert.equal(await one.load('t', 0), 3)
    assert.deepEqual(await one.notes(), ['a'])
  },
  'C2 of two owners at once one is refused': async (one, other) => {
    const both = await Promise.allSettled([
      one.apply(effect(undefined, 3, 'a')),
      other.apply(effect(undefined, 3, 'b')),
    ])
    assert.equal(both.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal((await one.notes()).length, 1)
    assert.equal(await other.load('t', 0), 3)
  },
  'partitions and topics do not see each other': async (one) => {
    await one.apply(effect(undefined, 3, 'a'))
    assert.equal(await one.load('t', 1), undefined)
    assert.equal(await one.load('u', 0), undefined)
    await one.apply({ ...effect(undefined, 5, 'b'), partition: 1 })
    await one.apply({ ...effect(undefined, 9, 'c'), topic: 'u' })
    const stored = [await one.load('t', 0), await one.load('t', 1), await one.load('u', 0)]
    assert.deepEqual(stored, [3, 5, 9])
  },
  'C1 C2 each message of a log has its effect once, though owners come and go and fail': async (one, other) => {
    const store = openMemoryStore({ topics: { t: { partitions: 2 } } })
    const numbers = Array.from({ length: 20 }, (_, n) => n)
    const outgoing = numbers.map((n) => ({ topic: 't', key: `k${n % 5}`, type: 'Counted', data: { n } }))
    try {
      await store.appendToStream('sender', [], { outgoing })
      await handleSome(store, one, 7)
      await handleSome(store, other, 5)
      await handleSome(store, one, numbers.length)
      assert.deepEqual(
        (await other.notes()).map(Number).sort((a, b) => a - b),
        numbers,
      )
    } finally {
      await store.close()
    }
  },
}

const LIMIT_MS = 20_000
const LOOK_AGAIN_MS = 2

/** An owner that fails at every third message once, and goes after so many calls or when all is done. */
async function handleSome(store: ReturnType<typeof openMemoryStore>, place: CheckpointPlace, most: number) {
  let calls = 0
  const limit = AbortSignal.timeout(LIMIT_MS)
  const load = (topic: string, partition: number) => place.load(topic, partition)
  const handler = async ({ topic, partition, offset, data }: RecordedMessage<AnyEvent>) => {
    const failing = ++calls % 3 === 0
    const { n } = data as { readonly n: number }
    const from = await place.load(topic, partition)
    await place.apply({ topic, partition, from, to: offset + 1, note: String(n), failing })
  }
  const checkpoints = { load }
  const consumer = store.consume({ group: 'notes', topics: ['t'], checkpoints, handler, onError: () => {} })
  const isDone = async () => (await place.notes()).length >= 20 || calls >= most
  while (!(await isDone())) {
    if (limit.aborted) assert.fail(`the messages had no effect in ${LIMIT_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
  }
  await consumer.stop()
}
