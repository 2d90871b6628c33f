import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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
