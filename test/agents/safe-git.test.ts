import { expect, it } from 'vitest'
import { definesFilters } from '../../src/agents/safe-git.ts'

it('git in a folder that does not exist leaves no timer behind, which would hold a program up at its end', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
  const before = timers()
  expect(await definesFilters('/no/such/folder')).toBe(false)
  expect(timers()).toBe(before)
})
