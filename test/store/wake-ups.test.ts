import { describe, expect, it } from 'vitest'
import { pause, settledWithin, WakeUps } from '../../src/store/wake-ups.ts'

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

describe('wake-ups', () => {
  it('a wake-up between a look and the wait is not lost', async () => {
    const wakeUps = new WakeUps()
    const seen = wakeUps.generation
    wakeUps.wakeAll()
    await wakeUps.after(seen)
    expect(wakeUps.generation).toBe(seen + 1)
  })

  it('a pause ends with its signal', async () => {
    const over = new AbortController()
    const paused = pause(1_000_000, over.signal)
    over.abort()
    await expect(paused).resolves.toBeUndefined()
  })

  it('what settles in time leaves no timer that would keep a process alive', async () => {
    const before = timers()
    await settledWithin(1_000_000, Promise.resolve())
    await settledWithin(1_000_000, Promise.reject(new Error('no'))).catch(() => {})
    expect(timers()).toBe(before)
  })

  it('what does not settle is left after the time', async () => {
    await expect(settledWithin(1, new Promise(() => {}))).resolves.toBeUndefined()
  })
})
