import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RequestedApproval } from '../../src/agents/read-sessions.ts'
import type { SessionSettings } from '../../src/agents/session/settings.ts'
import type { SessionView } from '../../src/agents/session/view.ts'
import { type Folder, newFolder, script } from './duolog.ts'

let folder: Folder
beforeAll(() => {
  folder = newFolder()
  folder.write('fast.json', script())
})
afterAll(() => folder.remove())

describe('a session that needs a person', () => {
  it('waits for its approval after the process ended, says how to give it, and goes on', async () => {
    const run = ['run', 'Make two files', '--script', 'fast.json', '--session', 'asks', '--approve', 'plan']
    const ran = await folder.run(run)
    expect(ran.code).toBe(3)
    expect(ran.stdout).toContain('approve asks plan')
    const listed = await folder.run(['approvals', '--json'])
    expect(JSON.parse(listed.stdout)).toMatchObject([{ sessionId: 'asks', approvalId: 'plan', status: 'requested' }])
    expect((await folder.run(['approve', 'asks', 'ghost'])).stderr).toContain('It asks for: "plan"')
    expect((await folder.run(['approve', 'asks', 'plan', '--reason', 'looks right'])).code).toBe(0)
    const resumed = await folder.run(['resume', 'asks', '--script', 'fast.json', '--json'])
    expect(resumed.code).toBe(0)
    expect((JSON.parse(resumed.stdout) as SessionView).approvals).toMatchObject([
      { status: 'given', reason: 'looks right' },
    ])
  })

  it('ends failed, with the reason, when it is denied', async () => {
    await folder.run(['run', 'Make two files', '--script', 'fast.json', '--session', 'no', '--approve', 'plan'])
    const denied = await folder.run(['deny', 'no', 'plan', '--reason', 'not before the release', '--json'])
    const view = JSON.parse(denied.stdout) as SessionView
    expect(view).toMatchObject({ status: 'failed', reason: 'A person denied the plan: not before the release' })
  })

  it('waits for money, says what it lacks, and goes on with a higher limit', async () => {
    const run = ['run', 'Make two files', '--script', 'fast.json', '--session', 'poor', '--budget-usd', '0.9']
    const ran = await folder.run(run)
    expect(ran.code).toBe(3)
    expect(ran.stdout).toContain('budget raise poor --usd AMOUNT')
    expect((await folder.run(['budget', 'raise', 'poor'])).code).toBe(2)
    expect((await folder.run(['budget', 'raise', 'poor', '--usd', '5'])).code).toBe(0)
    const resumed = await folder.run(['resume', 'poor', '--script', 'fast.json', '--json'])
    expect(JSON.parse(resumed.stdout)).toMatchObject({ status: 'completed', budget: { maxUsd: 5, usd: 0.05 } })
  })
})

describe('a call that stops at what it may spend itself', () => {
  it('has the session wait, says how to give it more, and is made again with that', async () => {
    folder.write('dear.mjs', agentThatNeedsThree)
    const run = ['run', 'Make a', '--executor', 'dear.mjs', '--session', 'call', '--per-call-usd', 'work=2']
    const ran = await folder.run([...run, '--budget-usd', '20', '--in-doubt', 'work=ask,plan=resume'])
    expect(ran.code).toBe(3)
    expect(ran.stdout).toContain('budget raise call --per-call-usd work=AMOUNT')
    expect(await rules('call')).toMatchObject({
      inDoubt: { plan: 'resume', work: 'ask', review: 'retry' },
      budget: { perCallUsd: { plan: 0.5, work: 2, review: 0.5 } },
    })
    expect((await folder.run(['budget', 'raise', 'call', '--per-call-usd', 'work=much'])).code).toBe(2)
    expect((await folder.run(['budget', 'raise', 'call', '--per-call-usd', 'work=3'])).code).toBe(0)
    const resumed = await folder.json(['resume', 'call', '--executor', 'dear.mjs'])
    expect(resumed).toMatchObject({ status: 'completed', totals: { workerCalls: 2 }, budget: { usd: 5 } })
  })

  it('or whose policy in doubt is none is refused before anything begins', async () => {
    const refused = await runs('none', '--in-doubt', 'work=guess')
    expect([refused.code, refused.stderr]).toMatchObject([2, expect.stringContaining('by purpose')])
  })
})

const runs = (session: string, ...flags: string[]) =>
  folder.run(['run', 'Make two files', '--script', 'fast.json', '--session', session, ...flags])
const resumes = (session: string) => folder.json(['resume', session, '--script', 'fast.json'])
const asked = async (session: string) => {
  const all = await folder.json<RequestedApproval[]>(['approvals'])
  return all.filter(({ sessionId }) => sessionId === session)
}
/** The session's rules, as its first event holds them. */
const rules = async (session: string) => {
  const { stdout } = await folder.run(['events', session, '--json'])
  const [created] = stdout.split('\n')
  return (JSON.parse(created!) as { data: { settings: SessionSettings } }).data.settings
}

describe('what a person may be asked for', () => {
  it('cost above an amount, once', async () => {
    expect((await runs('dear', '--approve-above', '0.02')).code).toBe(3)
    expect(await asked('dear')).toMatchObject([{ approvalId: 'cost:0.02', subject: 'cost' }])
    expect((await folder.run(['approve', 'dear', 'cost:0.02'])).code).toBe(0)
    expect(await resumes('dear')).toMatchObject({ status: 'completed', totals: { accepted: 2 } })
  })

  it('each work item', async () => {
    expect((await runs('each', '--approve', 'items')).code).toBe(3)
    expect(await asked('each')).toMatchObject([{ approvalId: 'work:first' }])
    await folder.run(['approve', 'each', 'work:first'])
    expect(await resumes('each')).toMatchObject({ status: 'waiting', totals: { accepted: 1 } })
    expect(await asked('each')).toMatchObject([{ approvalId: 'work:second' }])
    await folder.run(['approve', 'each', 'work:second'])
    expect(await resumes('each')).toMatchObject({ status: 'completed', totals: { accepted: 2 } })
  })

  it('a tool, shown with the work it is wanted for; denied, the Worker is not given it', async () => {
    folder.write('given.txt', '')
    folder.write('agent.mjs', agentThatNotesItsTools)
    const run = ['run', 'Make a', '--executor', 'agent.mjs', '--session', 'tool', '--allow-tool', 'Read']
    expect((await folder.run([...run, '--allow-tool', 'Bash', '--approve-tool', 'Bash'])).code).toBe(3)
    const [approval] = await asked('tool')
    expect(approval).toMatchObject({ approvalId: 'tool:Bash', subject: 'tool' })
    for (const known of ['Bash', 'Task: Make a', 'First wanted for a: The title', 'The description']) {
      expect(approval?.input).toContain(known)
    }
    expect((await folder.run(['deny', 'tool', 'tool:Bash'])).code).toBe(0)
    expect(await folder.json(['resume', 'tool', '--executor', 'agent.mjs'])).toMatchObject({ status: 'completed' })
    expect(readFileSync(folder.file('given.txt'), 'utf8')).toBe('Read')
  })

  it('for as long as the flags say, and then what they say', async () => {
    const flags = ['--approve', 'plan', '--approval-timeout', '2', '--on-approval-timeout', 'escalate']
    expect((await runs('late', ...flags)).code).toBe(3)
    expect((await rules('late')).approvals).toMatchObject({ plan: true, timeoutMs: 120_000, onTimeout: 'escalate' })
    const [approval] = await asked('late')
    const leftMs = Date.parse(approval!.expiresAt!) - Date.now()
    expect(leftMs).toBeGreaterThan(0)
    expect(leftMs).toBeLessThanOrEqual(120_000)
  })

  it('once: the same answer twice is one, another one is refused and says so', async () => {
    await runs('twice', '--approve', 'plan')
    expect((await folder.run(['approve', 'twice', 'plan'])).code).toBe(0)
    expect((await folder.run(['approve', 'twice', 'plan'])).code).toBe(0)
    expect(await folder.run(['deny', 'twice', 'plan'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('Approval plan was answered before: given. Nothing was changed.'),
    })
    await runs('gone', '--approve', 'plan')
    await folder.run(['cancel', 'gone'])
    expect(await folder.run(['approve', 'gone', 'plan'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('asks no more: its session is cancelled'),
    })
  })
})

describe('limits', () => {
  it('of turns: the session waits and goes on when they are raised', async () => {
    const ran = await runs('turns', '--budget-turns', '1')
    expect(ran).toMatchObject({ code: 3, stdout: expect.stringContaining('budget raise turns --turns AMOUNT') })
    expect((await folder.run(['budget', 'raise', 'turns', '--turns', '1000'])).code).toBe(0)
    expect(await resumes('turns')).toMatchObject({ status: 'completed' })
  })

  it('of time are counted in minutes', async () => {
    expect((await runs('time', '--budget-minutes', '90')).code).toBe(0)
    expect((await rules('time')).budget).toMatchObject({ maxWallClockMs: 90 * 60_000 })
  })

  it('of one role are written in one flag, and raised for that role', async () => {
    const ran = await runs('role', '--worker-budget', 'calls=1,minutes=90', '--manager-budget', 'usd=5')
    expect(ran).toMatchObject({
      code: 3,
      stdout: expect.stringContaining('budget raise role --role worker --calls AMOUNT'),
    })
    const raised = await folder.run([
      'budget',
      'raise',
      'role',
      '--role',
      'worker',
      '--calls',
      '40',
      '--minutes',
      '120',
    ])
    expect(raised.code).toBe(0)
    expect((await rules('role')).budget?.roles).toEqual({
      ...{ worker: { maxCalls: 1, maxWallClockMs: 90 * 60_000 }, manager: { maxUsd: 5 } },
    })
    expect(await resumes('role')).toMatchObject({
      status: 'completed',
      budget: { roles: { worker: { maxCalls: 40, maxWallClockMs: 120 * 60_000 } } },
    })
    const wrong = await runs('wrong', '--worker-budget', 'hours=3')
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('usd, calls, tokens, turns, minutes') })
  })

  it('are shown to people with what was spent, and what the gates said', async () => {
    const flags = ['--gate', 'exists=true', '--budget-usd', '20', '--budget-calls', '30', '--budget-minutes', '90']
    expect((await runs('seen', ...flags)).code).toBe(0)
    const { stdout } = await folder.run(['show', 'seen'])
    expect(stdout).toMatch(
      /^budget {3}\$\d.* of \$20\.00 spent, \$0\.00 held · 5 calls of 30 · at most 1h.* from its start$/m,
    )
    expect(stdout).toMatch(/^exists +first +passed +1 +`true` ended with exit code 0$/m)
  })

  it('of a pool in time: it is shown until when', async () => {
    const made = await folder.run(['budget', 'pool', 'create', 'tonight', '--minutes', '480'])
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/no call begins after \d{4}-/) })
    expect(await folder.json(['budget', 'pool', 'show', 'tonight'])).toMatchObject({
      limits: { maxWallClockMs: 480 * 60_000 },
    })
  })

  it('of a pool: sessions share it, wait for it, and go on when it is raised', async () => {
    const unknown = await runs('pooled', '--budget-pool', 'october')
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('duolog budget pool create october') })
    expect((await folder.run(['budget', 'pool', 'create', 'october', '--calls', '6'])).code).toBe(0)
    expect((await runs('pooled', '--budget-pool', 'october')).code).toBe(0)
    const second = await runs('pooled-too', '--budget-pool', 'october')
    expect(second).toMatchObject({
      code: 3,
      stdout: expect.stringContaining('budget pool raise october --calls AMOUNT'),
    })
    expect((await folder.run(['budget', 'pool', 'show', 'october'])).stdout).toContain('6 calls of 6')
    expect((await folder.run(['budget', 'pool', 'raise', 'october', '--calls', '10'])).code).toBe(0)
    expect(await resumes('pooled-too')).toMatchObject({ status: 'completed' })
    expect(await folder.json(['budget', 'pool', 'show', 'october'])).toMatchObject({
      calls: 10,
      held: [],
      limits: { maxCalls: 10 },
    })
  })
})

const agentThatNeedsThree = `
const item = { id: 'a', title: 'The title', description: 'The description', acceptanceCriteria: ['there'], priority: 1, dependencies: [] }
const answers = {
  plan: { strategy: 'one', workItems: [item] },
  review: { approved: true, qualityScore: 1, feedback: [], recommendations: [] },
}
export default {
  async execute({ purpose, maxBudgetUsd }) {
    if (purpose !== 'work') return { output: '', structured: answers[purpose], costUsd: 0 }
    if (maxBudgetUsd >= 3) return { output: 'done', costUsd: 3 }
    const spent = { code: 'EXECUTOR_FAILED', retry: 'never', because: 'budget', paidFor: { costUsd: 2 } }
    throw Object.assign(new Error('stopped at its budget'), spent)
  },
}
`

const agentThatNotesItsTools = `
import { appendFileSync } from 'node:fs'
const item = { id: 'a', title: 'The title', description: 'The description', acceptanceCriteria: ['there'], priority: 1, dependencies: [] }
const answers = {
  plan: { strategy: 'one', workItems: [item] },
  review: { approved: true, qualityScore: 1, feedback: [], recommendations: [] },
}
export default {
  async execute({ purpose, allowedTools }) {
    if (purpose === 'work') appendFileSync('given.txt', allowedTools.join())
    return { output: 'done', ...(answers[purpose] && { structured: answers[purpose] }) }
  },
}
`
