import assert from 'node:assert/strict'
import { isDuologError } from '../../core/errors.ts'
import { type ContractTest, event, refused, upTo } from './contract-test.ts'

export const givingUpTests: readonly ContractTest[] = [
  {
    name: 'P4 an append whose signal has fired already is refused with ABORTED, and nothing is written',
    async run(t) {
      const stream = t.name()
      const options = { signal: AbortSignal.abort() }
      await refused(t.store.appendToStream(stream, [event()], options), 'ABORTED')
      assert.deepEqual(await t.read(stream), [])
    },
  },
  {
    name: 'P4 appends given up at any moment are acknowledged and in the log, or ABORTED and surely not',
    async run(t) {
      const streams = upTo(60).map((n) => t.name(`given-up${n}`))
      const outcomes = await Promise.allSettled(
        streams.map(async (stream, index) => {
          const stop = new AbortController()
          const append = t.store.appendToStream(stream, [event()], { signal: stop.signal })
          await turns(index % 6)
          stop.abort()
          return append
        }),
      )
      for (const [index, outcome] of outcomes.entries()) {
        const found = (await t.read(streams[index]!)).length
        if (outcome.status === 'rejected') assert.ok(isDuologError(outcome.reason, 'ABORTED'), String(outcome.reason))
        assert.equal(found, outcome.status === 'fulfilled' ? 1 : 0)
      }
    },
  },
  {
    name: 'a signal that fires after the answer, and a time that is long, change nothing',
    async run(t) {
      const stream = t.name()
      const stop = new AbortController()
      const options = { signal: stop.signal, appendTimeoutMs: t.timeoutMs }
      assert.equal((await t.store.appendToStream(stream, [event()], options)).currentStreamVersion, 1)
      stop.abort()
      assert.equal((await t.store.appendToStream(stream, [event()])).currentStreamVersion, 2)
    },
  },
  {
    name: 'a time or a signal that is none is refused, naming it',
    async run(t) {
      const stream = t.name()
      for (const appendTimeoutMs of [0, -1, 1.5, Number.NaN]) {
        const error = await refused(t.store.appendToStream(stream, [event()], { appendTimeoutMs }), 'INVALID_ARGUMENT')
        assert.match(error.message, /appendTimeoutMs/)
      }
      const signal = {} as AbortSignal
      assert.match(
        (await refused(t.store.appendToStream(stream, [event()], { signal }), 'INVALID_ARGUMENT')).message,
        /signal/,
      )
      assert.deepEqual(await t.read(stream), [])
    },
  },
]

async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await new Promise((resolve) => setImmediate(resolve))
}
