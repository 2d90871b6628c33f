import { describe, expect, it } from 'vitest'
import { nextActions } from '../../../src/agents/session/next-actions.ts'
import { sessionView } from '../../../src/agents/session/view.ts'
import { Play, planOf, approval as verdict } from './play.ts'

describe('an approval', () => {
  it('of the plan is asked for once, and holds every item back until it is given', () => {
    const play = new Play({ approvals: { plan: true } })
    play.answer('plan:1', planOf({ a: {}, b: {} }))
    expect(play.count('ApprovalRequested')).toBe(1)
    expect(play.open()).toEqual([])
    expect(nextActions(play.state)).toEqual([])
    const view = sessionView('s', play.state, 0)
    expect(view.status).toBe('waiting')
    expect(view.approvals).toMatchObject([{ approvalId: 'plan', status: 'requested' }])
    expect(view.approvals[0]?.input).toContain('a: Title of a')
    play.do({ kind: 'answer-approval', approvalId: 'plan', approved: true, reason: 'go' })
    expect(play.open().map((call) => call.callId)).toEqual(['work:a:1', 'work:b:1'])
    expect(play.do({ kind: 'answer-approval', approvalId: 'plan', approved: true })).toEqual([])
  })

  it('of one work item lets the others go on; a denial fails it and blocks what depends on it', () => {
    const play = new Play({ approvals: { workItems: ['a'] } })
    play.answer('plan:1', planOf({ a: {}, b: {}, c: { dependencies: ['a'] } }))
    expect(play.open().map((call) => call.callId)).toEqual(['work:b:1'])
    play.do({ kind: 'answer-approval', approvalId: 'work:a', approved: false, reason: 'too risky' })
    expect(play.state.workItems.get('a')).toMatchObject({ status: 'failed', reason: 'A person denied it: too risky' })
    play.answer('work:b:1', 'done')
    play.answer('review:b:1', verdict)
    expect(play.state.status).toBe('failed')
    expect(play.state.workItems.get('c')?.status).toBe('blocked')
  })

  it('of one item keeps no place from those that need none, and asks for no more items than there are places', () => {
    const play = new Play({ maxConcurrentTasks: 1, approvals: { workItems: ['a', 'c'] } })
    play.answer('plan:1', planOf({ a: {}, b: {}, c: {} }))
    expect(play.open().map((call) => call.callId)).toEqual(['work:b:1'])
    expect(play.count('ApprovalRequested')).toBe(1)
    play.do({ kind: 'answer-approval', approvalId: 'work:a', approved: true })
    expect(play.open().map((call) => call.callId)).toEqual(['work:b:1'])
    play.answer('work:b:1', 'done')
    play.answer('review:b:1', verdict)
    expect(play.open().map((call) => call.callId)).toEqual(['work:a:1'])
    expect(play.count('ApprovalRequested')).toBe(1)
  })

  it('of the result comes last; denied, the session has failed with the reason', () => {
    const play = new Play({ approvals: { completion: true } })
    play.answer('plan:1', planOf({ a: {} }))
    play.answer('work:a:1', 'done')
    play.answer('review:a:1', verdict)
    expect(sessionView('s', play.state, 0).status).toBe('waiting')
    play.do({ kind: 'answer-approval', approvalId: 'completion', approved: false, reason: 'not what I meant' })
    expect(play.state).toMatchObject({ status: 'failed', reason: 'A person denied the completion: not what I meant' })
  })

  it('nobody asked for is refused with what is asked for', () => {
    const play = new Play({ approvals: { plan: true } })
    play.answer('plan:1', planOf({ a: {} }))
    const answer = { kind: 'answer-approval', approvalId: 'ghost', approved: true } as const
    expect(() => play.do(answer)).toThrow('It asks for: "plan"')
  })
})
