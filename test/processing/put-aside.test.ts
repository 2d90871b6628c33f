import { expect, it } from 'vitest'
import { listDeadLetters } from '../../src/processing/dead-letters.ts'
import { putAside } from '../../src/processing/put-aside.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'

it('P5 letters of groups whose long names begin alike are letters of their own, each written once', async () => {
  const store = await openEventStore('memory:')
  const topic = 't'.repeat(249)
  await store.appendToStream('a', [{ type: 'Any', data: null }])
  const groups = ['1', '2'].map((end) => `${'g'.repeat(255)}${end}`)
  for await (const event of store.readStream('a')) {
    for (const group of [...groups, ...groups]) {
      const message = { ...event, topic }
      await putAside(store, {
        message,
        group,
        attempts: 1,
        why: { reason: 'no', error: 'Error' },
        checkpoint: undefined,
      })
    }
  }
  expect((await listDeadLetters(store, topic)).map(({ group }) => group)).toEqual(groups)
  await store.close()
})
