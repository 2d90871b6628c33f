import { expect, it } from 'vitest'
import { CommitBatcher } from '../../src/store/kafka/commit-batcher.ts'

/* Checkpoints on their way to the broker. What is added while a commit is under way: test/contract. */

const place = { topic: 't', partition: 0 }

it('P6 a checkpoint that comes as the batcher is about to rest is committed, at whatever moment that is', async () => {
  for (let hops = 0; hops < 30; hops++) {
    const committed: number[] = []
    const first = Promise.withResolvers<void>()
    const batcher = new CommitBatcher(async (offsets) => {
      committed.push(...offsets.map(({ offset }) => offset))
      first.resolve()
    })
    batcher.add({ ...place, offset: 1 })
    await first.promise
    for (let hop = 0; hop < hops; hop++) await undefined
    batcher.add({ ...place, offset: 2 })
    await batcher.flush()
    expect(committed, `${hops} turns later`).toEqual([1, 2])
  }
})
