import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ClaimFor } from '../../../src/agents/session/commands.ts'
import { decideSession } from '../../../src/agents/session/decide.ts'
import { evolveSession, initialSessionState } from '../../../src/agents/session/evolve.ts'
import { firstReady, outlinesOf } from '../../../src/agents/session/outline.ts'
import { settingsSchema } from '../../../src/agents/session/settings.ts'
import type { SessionState } from '../../../src/agents/session/state.ts'
import { approval, Play, planOf } from './play.ts'

/** As the rule says it, over all items: no chunks, no sums kept. */
function plainly({ workItems }: SessionState, count: number): string[] {
  return [...workItems.values()]
    .filter(({ status }) => status === 'planned')
    .filter(({ dependencies }) => dependencies.every((id) => workItems.get(id)?.status === 'accepted'))
    .sort((a, b) => a.priority - b.priority)
    .slice(0, count)
    .map(({ id }) => id)
}

const plan = fc
  .array(fc.record({ priority: fc.integer({ min: 1, max: 5 }), waitsFor: fc.option(fc.nat(), { freq: 2 }) }), {
    minLength: 1,
    maxLength: 120,
  })
  .map((items) =>
    Object.fromEntries(
      items.map(({ priority, waitsFor }, index) => [
        `i${index}`,
        { priority, dependencies: waitsFor === null || index === 0 ? [] : [`i${waitsFor % index}`] },
      ]),
    ),
  )

describe('firstReady', () => {
  it('P1: gives what a look at every item would, in its order, at every moment of a session', () => {
    const run = fc.record({ items: plan, picks: fc.array(fc.nat(), { minLength: 7, maxLength: 7 }) })
    fc.assert(
      fc.property(run, ({ items, picks }) => {
        const play = new Play({ maxConcurrentTasks: 3 })
        play.answer('plan:1', planOf(items))
        for (let step = 0; play.open().length > 0; step++) {
          for (const count of [1, 2, 7, 200]) {
            const found = firstReady(play.state, outlinesOf(play.state), { count })
            expect(found.map(({ id }) => id)).toEqual(plainly(play.state, count))
          }
          const open = play.open()
          const call = open[(picks[step % picks.length] ?? 0) % open.length]!
          play.answer(call.callId, call.purpose === 'work' ? 'done' : approval)
        }
        expect(play.state.status).toBe('completed')
      }),
      { numRuns: 25 },
    )
  })
})

describe('whoever runs a local session', () => {
  const claimFor: ClaimFor = { owner: 'runner', roles: ['manager', 'worker', 'gate'] }

  /** Commands to a session that is not there yet. */
  function created(dispatch: 'local' | 'topics', by?: ClaimFor) {
    const settings = settingsSchema.parse({ dispatch })
    const about = { task: 'x', workDir: '/project', settings, owner: 'runner', createdBy: 'test' }
    const events = decideSession({ kind: 'create', ...about, ...(by && { claimFor: by }) }, initialSessionState())
    return { names: events.map(({ type }) => type), state: events.reduce(evolveSession, initialSessionState()) }
  }

  it('claims the first call in the append that creates it; its report claims what follows', () => {
    const { names, state } = created('local', claimFor)
    expect(names).toEqual(['SessionCreated', 'AgentCallReserved', 'AgentCallClaimed'])
    expect(state.calls.get('plan:1')).toMatchObject({ status: 'claimed', owner: 'runner', epoch: 1 })
    const result = { output: '', structured: planOf({ a: {}, b: {} }) }
    const report = { callId: 'plan:1', epoch: 1, owner: 'runner', durationMs: 1, claimFor }
    const next = decideSession({ kind: 'complete', result, ...report }, state)
    const claims = next.flatMap(({ type, data }) => (type === 'AgentCallClaimed' ? [data] : []))
    expect(claims).toEqual([
      { callId: 'work:a:1', epoch: 2, owner: 'runner' },
      { callId: 'work:b:1', epoch: 3, owner: 'runner' },
    ])
  })

  it('claims nothing of a session that services run, of roles it does not serve, or when it only creates', () => {
    const worker: ClaimFor = { owner: 'runner', roles: ['worker'] }
    for (const { names, state } of [created('topics', claimFor), created('local', worker), created('local')]) {
      expect(names).toEqual(['SessionCreated', 'AgentCallReserved'])
      expect(state.calls.get('plan:1')).toMatchObject({ status: 'reserved' })
    }
  })
})
