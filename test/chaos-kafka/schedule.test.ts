import { describe, expect, it } from 'vitest'
import { FAULT_KINDS, scheduleOf } from './schedule.ts'

const options = { seed: 'one', totalMs: 600_000, brokers: 3, writers: 4 }

describe('the schedule of the chaos', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(scheduleOf(options)).toEqual(scheduleOf(options))
    expect(scheduleOf({ ...options, seed: 'two' })).not.toEqual(scheduleOf(options))
  })

  it('kills every two seconds, begins calm, and has each fault several times, one after the other', () => {
    const { kills, faults, calmUntilMs } = scheduleOf(options)
    expect(kills.length).toBeGreaterThan(290)
    for (const kind of FAULT_KINDS) expect(faults.filter((fault) => fault.kind === kind).length).toBeGreaterThan(3)
    expect(faults[0]?.atMs).toBeGreaterThan(calmUntilMs)
    faults.slice(1).forEach((fault, index) => {
      const before = faults[index]
      expect(fault.atMs).toBeGreaterThan((before?.atMs ?? 0) + (before?.durationMs ?? 0))
    })
    expect(new Set(faults.filter(({ kind }) => kind === 'broker').map(({ target }) => target))).toEqual(
      new Set([0, 1, 2]),
    )
  })

  it('freezes a writer for longer than its transaction may last, never the one behind the proxies', () => {
    const zombies = scheduleOf(options).faults.filter(({ kind }) => kind === 'zombie')
    for (const { durationMs, target } of zombies) {
      expect(durationMs).toBeGreaterThan(10_000)
      expect(target).toBeGreaterThan(0)
    }
  })

  it('has every kind in its short form too', () => {
    const { faults } = scheduleOf({ ...options, totalMs: 26_000, brief: true })
    expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(FAULT_KINDS))
  })
})
