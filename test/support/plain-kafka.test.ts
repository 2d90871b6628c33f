import { expect, it, vi } from 'vitest'
import { RequestQueue } from './plain-kafka.ts'

it('a queue with nothing in it sets no timer: Node would warn of a negative time', () => {
  const setTimer = vi.spyOn(globalThis, 'setTimeout')
  const logger = { namespace: () => ({ debug: () => {} }) }
  new RequestQueue({ maxInFlightRequests: 1, requestTimeout: 1_000, logger }).scheduleCheckPendingRequests()
  expect(setTimer).not.toHaveBeenCalled()
  setTimer.mockRestore()
})
