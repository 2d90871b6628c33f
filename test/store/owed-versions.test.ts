import { expect, it } from 'vitest'
import { OwedVersions } from '../../src/store/kafka/owed-versions.ts'

/* What messages in hand tell of, and a read must show. On a broker: test/kafka/message-before-event.test.ts. */

const at = (versions: Readonly<Record<string, number>>) => (stream: string) => versions[stream] ?? 0

it('owes the highest version of a stream until it is there', () => {
  const owed = new OwedVersions()
  owed.add('s', 3)
  owed.add('s', 2)
  owed.add('t', 1)
  expect(owed.take(at({ s: 2, t: 1 }))).toEqual(new Map([['s', 3]]))
  expect(owed.take(at({}))).toBeUndefined() // somebody looks for it by now
})

it('owes again what could not be looked for, beside what has come since', () => {
  const owed = new OwedVersions()
  owed.add('s', 3)
  const missing = owed.take(at({}))
  owed.add('t', 1)
  owed.putBack(missing ?? new Map())
  expect(owed.take(at({}))).toEqual(new Map(Object.entries({ s: 3, t: 1 })))
})

it('keeps no more than a mark for a process that never reads', () => {
  const owed = new OwedVersions()
  for (let n = 0; n < 5000; n++) owed.add(`s-${n}`, 1)
  expect(owed.take(() => 1)).toBe('everything')
  owed.putBack('everything')
  owed.add('s', 1)
  expect(owed.take(() => 1)).toBe('everything')
  expect(owed.take(() => 1)).toBeUndefined()
})
