import { describe, expect, it } from 'vitest'
import { requestFor } from '../../../src/agents/session/requests.ts'
import { settingsSchema } from '../../../src/agents/session/settings.ts'
import { sessionView } from '../../../src/agents/session/view.ts'
import { approval, Play, planOf, rejection } from './play.ts'

const tests = { gateId: 'tests', command: ['npm', 'test'] }
const security = { gateId: 'security', reviewer: 'Look for secrets in the code.', minScore: 0.7 }
const good = { passed: true, score: 0.9, label: 'clean', explanation: 'nothing found' }

function worked(settings: ConstructorParameters<typeof Play>[0]): Play {
  const play = new Play(settings)
  play.answer('plan:1', planOf({ a: {} }))
  play.answer('work:a:1', 'done')
  return play
}

describe('gates', () => {
  it('are evaluated side by side; nothing follows before all are in', () => {
    const play = worked({ gates: [tests, { gateId: 'lint', command: ['lint'] }, security] })
    expect(play.open().map((call) => call.callId)).toEqual(['gate:a:1:tests', 'gate:a:1:lint', 'gate:a:1:security'])
    play.gate('gate:a:1:tests', true)
    play.gate('gate:a:1:lint', true)
    expect(play.open().map((call) => call.callId)).toEqual(['gate:a:1:security'])
  })

  it('of a reviewer are paid calls of the Manager, recorded with score, label and explanation as answered', () => {
    const play = worked({ gates: [security], budget: { maxUsd: 10 } })
    const call = play.open()[0]!
    expect(call).toMatchObject({ role: 'manager', purpose: 'gate', reservedUsd: 0.5 })
    const request = requestFor('s', play.state, call)
    expect(request).toMatchObject({ purpose: 'review', maxBudgetUsd: 0.5 })
    expect(request.prompt).toContain('Look for secrets in the code.')
    play.answer(call.callId, good)
    expect(play.state.workItems.get('a')?.gates.get('security')).toEqual({
      gateId: 'security',
      mandatory: true,
      minScore: 0.7,
      ...good,
    })
    expect(play.open()[0]?.callId).toBe('review:a:1')
  })

  it('below their threshold fail, with the score as it was given', () => {
    const play = worked({ gates: [security] })
    play.answer('gate:a:1:security', { ...good, score: 0.5 })
    const result = play.history.find((event) => event.type === 'QualityGateResult')
    expect(result?.data).toMatchObject({ passed: false, score: 0.5 })
    expect(requestFor('s', play.state, play.open()[0]!).prompt).toContain('its score 0.5 is below the threshold 0.7')
  })

  const unusable = { 'score 7': { ...good, score: 7 }, prose: 'All good!', 'nested JSON': { verdict: good } }
  for (const [name, answer] of Object.entries(unusable)) {
    it(`(${name}) are asked again with the errors, then their item fails; nothing is guessed`, () => {
      const play = worked({ gates: [security] })
      play.answer('gate:a:1:security', answer)
      const again = play.open()[0]!
      expect(again.callId).toBe('gate:a:1:security~2')
      expect(requestFor('s', play.state, again).prompt).toContain('Your last answer was no verdict')
      play.answer('gate:a:1:security~2', answer)
      expect(play.state.workItems.get('a')?.reason).toContain(
        'Gate "security" could not be run: its answer was no verdict',
      )
    })
  }

  it('that are advisory and give no verdict are passed over, and that is recorded', () => {
    const play = worked({ gates: [{ ...security, mandatory: false }], maxCallAttempts: 1 })
    play.answer('gate:a:1:security', 'hm')
    expect(play.state.workItems.get('a')?.gates.get('security')).toMatchObject({ passed: false, mandatory: false })
    expect(play.open()[0]?.callId).toBe('review:a:1')
  })

  it('that are mandatory turn an approval into a rejection that says so', () => {
    const play = worked({ gates: [tests], reviewFailingWork: true })
    play.gate('gate:a:1:tests', false)
    play.answer('review:a:1', approval)
    const sentBack = play.history.find((event) => event.type === 'RevisionRequested')
    expect(sentBack?.data).toMatchObject({
      feedback: [
        'The reviewer approved it, but a mandatory gate failed, so it is rejected.',
        'Gate "tests" failed: exit code 1\nnot ok 1',
      ],
    })
    expect(play.history.find((event) => event.type === 'TaskReviewed')?.data).toMatchObject({ approved: true })
  })

  it('need exactly one judge each, and ids of their own', () => {
    expect(() => settingsSchema.parse({ gates: [{ gateId: 'a' }] })).toThrow(
      'exactly one of command, reviewer, function',
    )
    expect(() => settingsSchema.parse({ gates: [tests, tests] })).toThrow('gate ids must differ')
  })
})

describe('a reviewer', () => {
  for (const [name, answer] of Object.entries({
    'score 7': { ...approval, qualityScore: 7 },
    'nested JSON': { review: approval },
    prose: 'Approved!',
  })) {
    it(`who answers ${name} is asked again, then the item fails`, () => {
      const play = worked({})
      play.answer('review:a:1', answer)
      expect(play.open()[0]?.callId).toBe('review:a:1~2')
      play.answer('review:a:1~2', answer)
      expect(play.state.workItems.get('a')?.status).toBe('failed')
      expect(play.count('WorkItemAccepted')).toBe(0)
    })
  }

  it('sees output, changes and the evidence of failed gates', () => {
    const play = new Play({ gates: [{ ...tests, mandatory: false }] })
    play.answer('plan:1', planOf({ a: {} }))
    const epoch = play.claim('work:a:1')
    const changes = { by: 'git', base: 'abc', files: ['money.ts'], fileCount: 1, text: '+ round(total)' } as const
    const result = { output: 'rounded it', changes }
    play.do({ kind: 'complete', callId: 'work:a:1', epoch, owner: 'worker-1', result, durationMs: 1 })
    play.gate('gate:a:1:tests', false)
    const { prompt } = requestFor('s', play.state, play.open()[0]!)
    for (const part of ['rounded it', '+ round(total)', 'tests: failed', 'not ok 1']) expect(prompt).toContain(part)
    expect(play.state.workItems.get('a')?.workBase).toBe('abc')
  })
})

describe('gates of the session', () => {
  const build = { gateId: 'build', command: ['make'], scope: 'session' as const }
  const accepted = (settings: object = {}): Play => {
    const play = worked({ gates: [build], ...settings })
    play.answer('review:a:1', approval)
    return play
  }

  it('judge the result when all items are accepted, before the last approval', () => {
    const play = accepted({ approvals: { completion: true } })
    expect(play.open().map((call) => call.callId)).toEqual(['gate:1:build'])
    play.gate('gate:1:build', true)
    expect(play.state.approvals.get('completion')?.status).toBe('requested')
    play.do({ kind: 'answer-approval', approvalId: 'completion', approved: true })
    expect(sessionView('s', play.state, 0)).toMatchObject({
      status: 'completed',
      gates: [{ gateId: 'build', passed: true }],
    })
  })

  it('of a reviewer are told of every work item, with its score and what its gates said', () => {
    const whole = { gateId: 'whole', reviewer: 'Do the parts fit?', scope: 'session' as const }
    const play = new Play({ gates: [{ ...tests, mandatory: false }, whole] })
    play.answer('plan:1', planOf({ a: {} }))
    play.answer('work:a:1', 'done')
    play.gate('gate:a:1:tests', false)
    play.answer('review:a:1', { ...approval, qualityScore: 0.75, recommendations: ['rename it'] })
    const { prompt } = requestFor('s', play.state, play.open()[0]!)
    const told = ['Title of a (review 0.75; tests: failed (exit code 1), advisory)', 'it works', 'rename it']
    for (const part of told) expect(prompt).toContain(part)
    expect(prompt).not.toContain('not ok 1')
  })

  it('fail the session with their evidence', () => {
    const play = accepted()
    play.gate('gate:1:build', false)
    expect(play.state).toMatchObject({ status: 'failed' })
    expect(play.state.reason).toContain('Gate "build" failed: exit code 1\nnot ok 1')
  })

  it('ask a person where the settings say so, who may have them look once more', () => {
    const play = accepted({ whenRejected: 'ask' })
    play.gate('gate:1:build', false)
    expect(sessionView('s', play.state, 0).status).toBe('waiting')
    play.do({ kind: 'answer-approval', approvalId: 'session-gates:1', approved: false, revise: true })
    expect(play.open()[0]?.callId).toBe('gate:2:build')
    play.gate('gate:2:build', false)
    play.do({ kind: 'answer-approval', approvalId: 'session-gates:2', approved: true })
    expect(play.state.status).toBe('completed')
  })

  const b = { workItemId: 'b', title: 'b', description: 'b', acceptanceCriteria: ['ok'], priority: 3, dependencies: [] }

  it('look again when a work item was added meanwhile', () => {
    const play = accepted({ approvals: { completion: true } })
    play.gate('gate:1:build', true)
    play.do({ kind: 'add-work-item', workItem: b })
    play.answer('work:b:1', 'done')
    play.answer('review:b:1', approval)
    expect(play.open()[0]?.callId).toBe('gate:2:build')
  })

  it.each([true, false])('look again also when it was added while they looked, whatever they say then (%s)', (said) => {
    const play = accepted()
    play.do({ kind: 'add-work-item', workItem: b })
    play.gate('gate:1:build', said)
    play.answer('work:b:1', 'done')
    play.answer('review:b:1', approval)
    expect(play.open().map((call) => call.callId)).toEqual(['gate:2:build'])
    play.gate('gate:2:build', true)
    expect(play.state.status).toBe('completed')
  })
})

describe('a person about a rejection', () => {
  const exhausted = (): Play => {
    const play = worked({ maxRevisions: 0, whenRejected: 'ask' })
    play.answer('review:a:1', rejection)
    return play
  }

  it('is asked with the feedback, and may accept it as it is', () => {
    const play = exhausted()
    expect(play.state.approvals.get('verdict:a:1')?.input).toContain('Round the total')
    expect(sessionView('s', play.state, 0).status).toBe('waiting')
    play.do({ kind: 'answer-approval', approvalId: 'verdict:a:1', approved: true })
    expect(play.history.find((event) => event.type === 'WorkItemAccepted')?.data).toMatchObject({ by: 'person' })
    expect(play.state.status).toBe('completed')
  })

  it('may refuse it', () => {
    const play = exhausted()
    play.do({ kind: 'answer-approval', approvalId: 'verdict:a:1', approved: false, reason: 'no' })
    expect(play.state.workItems.get('a')?.reason).toContain('A person denied it: no. Still rejected')
  })

  it('may grant another revision, whose prompt holds what the person said; then is asked again', () => {
    const play = exhausted()
    const grant = { kind: 'answer-approval', approvalId: 'verdict:a:1', approved: false, revise: true } as const
    play.do({ ...grant, reason: 'use integers' })
    expect(play.do({ ...grant, reason: 'use integers' })).toEqual([])
    const { prompt } = requestFor('s', play.state, play.open()[0]!)
    expect(prompt).toContain('use integers')
    expect(prompt).toContain('Round the total')
    play.answer('work:a:2', 'again')
    play.answer('review:a:2', rejection)
    expect(play.state.approvals.get('verdict:a:2')?.status).toBe('requested')
  })

  it('cannot send back what was not rejected', () => {
    const play = new Play({ approvals: { plan: true } })
    play.answer('plan:1', planOf({ a: {} }))
    const answer = { kind: 'answer-approval', approvalId: 'plan', approved: false, revise: true } as const
    expect(() => play.do(answer)).toThrow('asks about no rejection')
  })
})
