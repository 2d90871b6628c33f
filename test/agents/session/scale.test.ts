import { describe, expect, it } from 'vitest'
import { evolveSession, initialSessionState } from '../../../src/agents/session/evolve.ts'
import { StateMap } from '../../../src/agents/session/state-map.ts'
import { MAX_WORK_ITEMS } from '../../../src/agents/structured-output.ts'
import { approval, Play, planOf } from './play.ts'

const items = (count: number) => planOf(Object.fromEntries(Array.from({ length: count }, (_, i) => [`i${i}`, {}])))

describe('a plan', () => {
  it('of as many items as allowed is accepted and worked off; the fold of its log is the state', () => {
    const play = new Play({ maxConcurrentTasks: 10 })
    play.answer('plan:1', items(MAX_WORK_ITEMS))
    for (let call = play.open()[0]; call !== undefined; call = play.open()[0]) {
      play.answer(call.callId, call.purpose === 'work' ? 'x'.repeat(1_000) : approval)
    }
    expect(play.state.status).toBe('completed')
    expect(play.history.reduce(evolveSession, initialSessionState())).toEqual(play.state)
  })

  it('of more is rejected with the limit in words, and asked for again', () => {
    const play = new Play()
    play.answer('plan:1', items(MAX_WORK_ITEMS + 1))
    expect(play.state.planErrors.join()).toContain('plan at most 500')
    expect(play.open()[0]?.callId).toBe('plan:2')
  })
})

describe('the state', () => {
  it('keeps nothing of an answer that was used: it is in the log', () => {
    const play = new Play()
    play.answer('plan:1', planOf({ a: {} }))
    play.answer('work:a:1', 'x'.repeat(100_000))
    expect(play.state.calls.get('work:a:1')?.result?.output).toHaveLength(100_000)
    play.answer('review:a:1', approval)
    expect(play.state.calls.get('work:a:1')?.result).not.toHaveProperty('output')
    expect(play.state.calls.get('plan:1')?.result).not.toHaveProperty('structured')
  })

  it('is a map that shares: a change copies few entries, and the map before stays as it was', () => {
    let map = new StateMap<number, number>()
    const expected = new Map<number, number>()
    for (let i = 0; i < 2_000; i++) {
      const before = map
      const key = (i * 7919) % 1_000
      map = map.with(key, i)
      expected.set(key, i)
      expect(before.get(key)).not.toBe(i)
    }
    expect([...map]).toEqual([...expected])
    expect(map.size).toBe(1_000)
  })
})
