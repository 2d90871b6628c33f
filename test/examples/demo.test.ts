import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, it } from 'vitest'
import { demoFolder, expectAsPromised, isAlive, npmRunDemo, raiseBudget, spawnDemo, summaryOf } from './run-demo.ts'

const folders: string[] = []
function freshFolder(): string {
  const folder = demoFolder()
  folders.push(folder)
  return folder
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

describe('npm run demo', () => {
  it('keeps what it promises on a file: one revision, one kill, one call in doubt, nothing done twice', async () => {
    const folder = freshFolder()
    await expectAsPromised(folder, npmRunDemo(folder, '--json'))
  })

  it('keeps the same promises when one process drives the session (--style orchestration)', async () => {
    const folder = freshFolder()
    await expectAsPromised(folder, npmRunDemo(folder, '--json', '--style', 'orchestration'))
  })

  it('waits for the approval of its plan, gives it where nobody can be asked and says so, within a budget', async () => {
    const folder = freshFolder()
    const run = npmRunDemo(folder, '--json', '--approve', '--budget-usd', '20')
    await expectAsPromised(folder, run)
    const { approvals, budget, totals } = summaryOf(run)
    expect(approvals).toMatchObject([
      { subject: 'plan', status: 'given', reason: expect.stringContaining('nobody to ask') },
    ])
    expect(run.stderr).toMatch(/approval +wanted for the plan[\s\S]*approval +given, by the demo itself/)
    // The call in doubt counts as what was held for it: $1.
    expect(budget).toMatchObject({ maxUsd: 20, usd: expect.closeTo(totals.costUsd + 1, 6) })
  })

  it('ends with exit code 3 when the next call does not fit its budget, and goes on once it is raised', async () => {
    const folder = freshFolder()
    const run = npmRunDemo(folder, '--json', '--budget-usd', '0.6')
    expect(run).toMatchObject({ exitCode: 3, stdout: '' })
    expect(run.stderr).toContain('The budget of $0.6 does not allow the next call: it holds $1')
    const [, sessionId, log] = /duolog budget raise (\S+) --usd \S+ --log (\S+)/.exec(run.stderr) ?? []
    await raiseBudget(log!, sessionId!, 20)
    const resumed = npmRunDemo(folder, '--json', '--resume', sessionId!, '--log', log!)
    expect(summaryOf(resumed)).toMatchObject({ problems: [], status: 'completed', budget: { maxUsd: 20 } })
  })

  it('is interrupted by Ctrl-C without losing anything, and says how to go on', async () => {
    const folder = freshFolder()
    const demo = spawnDemo(folder)
    const ended = once(demo, 'exit')
    const told = await interruptOnce(demo, [/started/, /goes to the Worker/])
    expect(await ended).toEqual([130, null])
    const pids = [...told.matchAll(/\(pid (\d+)\)/g)].map(([, pid]) => Number(pid))
    expect(pids).toHaveLength(3)
    expect(pids.filter(isAlive)).toEqual([])

    const [, sessionId, log] = /npm run demo -- --resume (\S+) --log (\S+)/.exec(told) ?? []
    const resumed = npmRunDemo(folder, '--json', '--resume', sessionId!, '--log', log!)
    expect(summaryOf(resumed)).toMatchObject({
      problems: [],
      sessionId,
      status: 'completed',
      killed: null,
      projectTests: { green: true },
    })
    expect(resumed.exitCode).toBe(0)
  })

  it.each([
    ['an option it does not have', ['--bogus'], /--bogus/],
    ['a log that only one process has', ['--log', 'memory:'], /memory: log lives in one process/],
    ['a style it does not know', ['--style', 'jazz'], /--style must be choreography or orchestration/],
    ['an executor it does not have', ['--executor', 'parrot'], /--executor must be script or claude/],
    ['a budget that is no amount', ['--budget-usd', 'much'], /--budget-usd must be a number of dollars/],
    ['to resume without a log', ['--resume', 'demo-1'], /needs the --log/],
  ])('refuses %s, with exit code 2 and its usage', (_, args, message) => {
    const run = npmRunDemo(freshFolder(), ...args)
    expect(run).toMatchObject({ exitCode: 2, stdout: '' })
    expect(run.stderr).toMatch(message)
    expect(run.stderr).toContain('Usage')
  })

  it.each([
    ['a log cannot be opened', ['--log', 'kafak://localhost'], /cannot be opened by "kafak:"/],
    ['there is no such session', ['--resume', 'demo-1', '--log', 'file:FOLDER/log.db'], /no session "demo-1"/],
  ])('says that %s, without a stack trace', (_, args, message) => {
    const folder = freshFolder()
    const run = npmRunDemo(folder, ...args.map((arg) => arg.replace('FOLDER', folder)))
    expect(run).toMatchObject({ exitCode: 1, stdout: '' })
    expect(run.stderr).toMatch(message)
    expect(run.stderr).not.toMatch(/\n\s+at /)
  })

  it('says before it begins that Claude needs a key', () => {
    const folder = freshFolder()
    const run = npmRunDemo(folder, '--executor', 'claude')
    expect(run).toMatchObject({ exitCode: 2, stdout: '' })
    expect(run.stderr).toMatch(/needs a key: set ANTHROPIC_API_KEY, or log in once/)
    expect(readdirSync(folder)).toEqual([])
  })

  it('has a --help', () => {
    expect(npmRunDemo(freshFolder(), '--help')).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('--log') })
  })
})

/** Ctrl-C as soon as all of these were told; all that was told, to the end. */
async function interruptOnce(demo: ChildProcess, patterns: readonly RegExp[]): Promise<string> {
  let told = ''
  let interrupted = false
  for await (const line of createInterface({ input: demo.stderr! })) {
    told += `${line}\n`
    if (interrupted || !patterns.every((pattern) => pattern.test(told))) continue
    interrupted = demo.kill('SIGINT')
  }
  return told
}
