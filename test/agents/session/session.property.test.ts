import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nextActions } from '../../../src/agents/session/next-actions.ts'
import { type CallState, isEnded } from '../../../src/agents/session/state.ts'
import { approval, Play, planOf, rejection } from './play.ts'

/* Whatever the agents answer and whoever dies: a session ends, and pays for nothing twice without saying so (P7, P8). */

interface World {
  readonly items: number
  readonly edges: readonly (readonly [number, number])[]
  readonly maxConcurrentTasks: number
  readonly choices: readonly number[]
}

const worlds = fc.record<World>({
  items: fc.integer({ min: 1, max: 7 }),
  edges: fc.array(fc.tuple(fc.nat(6), fc.nat(6)), { maxLength: 8 }),
  maxConcurrentTasks: fc.integer({ min: 1, max: 4 }),
  choices: fc.array(fc.nat(99), { minLength: 60, maxLength: 60 }),
})

/** Edges only from a later to an earlier item, so there is no cycle. */
function plan({ items, edges }: World) {
  const entries = Array.from({ length: items }, (_, index) => {
    const dependencies = [
      ...new Set(edges.filter(([from, to]) => from === index && to < index).map(([, to]) => `i${to}`)),
    ]
    return [`i${index}`, { dependencies }] as const
  })
  return planOf(Object.fromEntries(entries))
}

function begin(world: World): Play {
  const { maxConcurrentTasks } = world
  const play = new Play({ maxConcurrentTasks, gates: [{ gateId: 'tests', command: ['true'] }] })
  play.answer('plan:1', plan(world))
  return play
}

function succeed(play: Play, call: CallState): void {
  if (call.role === 'gate') play.gate(call.callId, true)
  else play.answer(call.callId, call.purpose === 'review' ? approval : 'done')
}

function die(play: Play, call: CallState): void {
  const epoch = play.claim(call.callId)
  play.do({ kind: 'doubt', callId: call.callId, epoch, reason: 'killed' })
  play.do({
    kind: 'complete',
    callId: call.callId,
    epoch,
    owner: 'worker-1',
    result: { output: 'late' },
    durationMs: 0,
  })
}

function misfortune(play: Play, call: CallState, choice: number): void {
  if (choice < 40) succeed(play, call)
  else if (choice < 60) die(play, call)
  else if (choice < 75 && call.purpose === 'review') play.answer(call.callId, rejection)
  else if (choice < 75 && call.role === 'gate') play.gate(call.callId, false)
  else if (choice < 85) takeABreak(play)
  else fail(play, call, choice < 95)
}

function takeABreak(play: Play): void {
  play.do({ kind: 'pause', reason: 'break' })
  play.do({ kind: 'resume', owner: `o${play.history.length}`, previousOwner: play.state.owner })
}

function fail(play: Play, call: CallState, retryable: boolean): void {
  const epoch = play.claim(call.callId)
  const error = { code: 'EXECUTOR_FAILED', message: 'boom' }
  play.do({
    kind: 'report-failure',
    callId: call.callId,
    epoch,
    owner: 'worker-1',
    error,
    retryable,
    durationMs: 0,
  })
}

function runOn(
  play: Play,
  choices: readonly number[],
  step: (play: Play, call: CallState, choice: number) => void,
): void {
  for (let i = 0; !isEnded(play.state); i++) {
    const open = play.open()
    expect(open.length).toBeGreaterThan(0)
    const choice = choices[i] ?? 0
    step(play, open[choice % open.length]!, choice)
    checkInvariants(play)
  }
}

function checkInvariants(play: Play): void {
  const { state } = play
  expect(nextActions(state)).toEqual([])
  const active = [...state.workItems.values()].filter((item) =>
    ['working', 'checking', 'reviewing'].includes(item.status),
  )
  expect(active.length).toBeLessThanOrEqual(state.settings.maxConcurrentTasks)
  for (const item of active) {
    for (const id of item.dependencies) expect(state.workItems.get(id)?.status).toBe('accepted')
  }
}

function workerCalls(play: Play): CallState[] {
  return [...play.state.calls.values()].filter((call) => call.purpose === 'work' && call.epoch > 0)
}

describe('a session under any fate', () => {
  it('P7: N accepted items without revisions cost exactly N worker calls plus those shown in doubt', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const play = begin(world)
        runOn(play, world.choices, (_, call, choice) => (choice % 4 === 0 ? die(play, call) : succeed(play, call)))
        expect(play.state.status).toBe('completed')
        const made = workerCalls(play)
        const inDoubt = made.filter((call) => call.status === 'in-doubt')
        expect(made.length - inDoubt.length).toBe(world.items)
      }),
    )
  })

  it('ends, with one completed call per attempt at most, whatever goes wrong', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const play = begin(world)
        runOn(play, world.choices, misfortune)
        const completed = workerCalls(play).filter((call) => call.status === 'completed')
        const attempts = completed.map((call) => `${call.workItemId}:${call.attempt}`)
        expect(new Set(attempts).size).toBe(attempts.length)
        expect(play.state.openCallIds.size).toBe(0)
      }),
    )
  })

  it('has an idempotent decide: every command of a run, given again at its end, changes nothing but refusals', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const play = begin(world)
        const reports: { callId: string; epoch: number }[] = []
        runOn(play, world.choices, (_, call) => {
          succeed(play, call)
          reports.push({ callId: call.callId, epoch: play.state.calls.get(call.callId)!.epoch })
        })
        const before = play.history.length
        for (const { callId, epoch } of reports) {
          play.do({ kind: 'claim', callId, owner: 'worker-1' })
          play.do({ kind: 'complete', callId, epoch, owner: 'worker-1', result: { output: 'again' }, durationMs: 0 })
          play.do({ kind: 'doubt', callId, epoch, reason: 'again' })
        }
        expect(play.history.length).toBe(before)
      }),
    )
  })
})
