import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LruCache } from '../../src/store/lru-cache.ts'

it('keeps the entries used last, whatever is set, asked for and deleted', () => {
  const step = fc.tuple(fc.constantFrom('get', 'set', 'delete'), fc.integer({ min: 0, max: 5 }))
  fc.assert(
    fc.property(fc.array(step), fc.integer({ min: 1, max: 4 }), (steps, max) => {
      const cache = new LruCache<number, number>(max)
      let used: (readonly [key: number, value: number])[] = []
      steps.forEach(([kind, key], value) => {
        const before = used.find(([each]) => each === key)
        const others = used.filter(([each]) => each !== key)
        if (kind === 'get') expect(cache.get(key)).toBe(before?.[1])
        else if (kind === 'set') cache.set(key, value)
        else cache.delete(key)
        if (kind === 'set') used = [...others, [key, value] as const].slice(-max)
        else used = kind === 'delete' || before === undefined ? others : [...others, before]
      })
      for (let key = 0; key <= 5; key++) expect(cache.get(key)).toBe(used.find(([each]) => each === key)?.[1])
    }),
  )
})
