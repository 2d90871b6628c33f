import { expect, it } from 'vitest'
import { eitherSignal } from '../../src/agents/either-signal.ts'

it('fires with the reason of the signal that does, also of one that has; released, no more', () => {
  const [one, other] = [new AbortController(), new AbortController()]
  const first = eitherSignal(one.signal, other.signal)
  const released = eitherSignal(one.signal, undefined)
  released.release()
  expect(first.signal.aborted).toBe(false)
  other.abort('other')
  one.abort('one')
  expect(first.signal.reason).toBe('other')
  expect(released.signal.aborted).toBe(false)
  expect(eitherSignal(undefined, one.signal).signal.reason).toBe('one')
})
