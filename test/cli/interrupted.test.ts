import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SessionView } from '../../src/agents/session/view.ts'
import { type Folder, newFolder, offered, type Started, script } from './duolog.ts'

/* P7: after a crash a call without an outcome is in doubt, visible, and never silently repeated. */

const FOREVER_MS = 600_000

let folder: Folder
let running: Started[] = []
beforeEach(() => {
  folder = newFolder()
  folder.write('agents.json', script({ secondMs: FOREVER_MS }))
})
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL')
  await Promise.all(running.map(({ ended }) => ended))
  running = []
  folder.remove()
})

/** A session whose second work item is being worked on, for ever. */
async function startAndReachSecond(args: readonly string[] = []): Promise<Started> {
  const started = folder.start(['run', 'x', '--script', 'agents.json', '--session', 's1', '--json', ...args])
  running.push(started)
  await until(() => folder.executions().includes('work second'), started)
  return started
}

async function until(reached: () => boolean, { child }: Started): Promise<void> {
  while (!reached()) {
    if (child.exitCode !== null) throw new Error(`ended too early, with ${child.exitCode}`)
    await delay(20)
  }
}

const asked = ['plan', 'work first', 'review first', 'work second']

const callNamed = (view: SessionView, callId: string) => view.calls.find((call) => call.callId === callId)

describe('Ctrl-C', () => {
  it('pauses; the printed command goes on and nothing is done twice that was done', async () => {
    const run = await startAndReachSecond()
    const elsewhere = await folder.run(['resume', 's1', '--script', 'agents.json', '--json'])
    expect(elsewhere.code).toBe(2)
    expect(JSON.parse(elsewhere.stdout)).toMatchObject({ error: { code: 'SESSION_RUNNING_ELSEWHERE' } })
    run.child.kill('SIGINT')
    const { code, stdout, stderr } = await run.ended
    expect(code).toBe(130)
    const paused = JSON.parse(stdout) as SessionView
    expect(paused.status).toBe('paused')
    expect(callNamed(paused, 'work:second:1')?.status).toBe('cancelled')
    const command = offered(stderr, 'resume')
    expect(command).toBe('duolog resume s1 --script agents.json')

    const followed = folder.start(['events', 's1', '--follow', '--json'])
    running.push(followed)
    folder.write('agents.json', script())
    const resumed = await folder.paste(command)
    expect(resumed).toMatchObject({ code: 0, stdout: expect.stringContaining('Session s1 completed') })
    expect(resumed.stderr).toMatch(/^\d\d:\d\d:\d\d session resumed\n/)
    const view = await folder.json(['show', 's1'])
    expect(view.totals).toMatchObject({ accepted: 2, workerCalls: 3, inDoubtCalls: 0 })
    expect(folder.executions()).toEqual([...asked, 'work second', 'review second'])
    const events = await followed.ended
    expect(events.code).toBe(0)
    expect(events.stdout.trim().split('\n')).toHaveLength(view.version)
  })

  it('a second time ends at once, even when the executor hears nothing', async () => {
    folder.write('deaf.mjs', 'export default { execute: () => new Promise(() => setInterval(() => {}, 1000)) }')
    const run = folder.start(['run', 'x', '--executor', 'deaf.mjs', '--session', 's1'])
    running.push(run)
    await run.saysOnStderr('started')
    run.child.kill('SIGINT')
    await run.saysOnStderr('Ctrl-C again ends at once')
    run.child.kill('SIGINT')
    expect(await run.ended).toMatchObject({ code: 130, stdout: '' })
  })
})

describe('kill -9', () => {
  it('leaves a session that resume completes; the call in doubt is shown, with its successor', async () => {
    const run = await startAndReachSecond()
    run.child.kill('SIGKILL')
    expect((await run.ended).code).toBe('SIGKILL')
    folder.write('agents.json', script())
    const view = await folder.json(['resume', '--script', 'agents.json'])
    expect(view).toMatchObject({ sessionId: 's1', status: 'completed' })
    expect(view.totals).toMatchObject({ accepted: 2, workerCalls: 3, managerCalls: 3, inDoubtCalls: 1 })
    expect(callNamed(view, 'work:second:1')).toMatchObject({ status: 'in-doubt', resolution: 'retry' })
    expect(view.calls.find((call) => call.predecessor === 'work:second:1')).toMatchObject({ status: 'completed' })
    expect(folder.executions()).toEqual([...asked, 'work second', 'review second'])
  })

  it('with --in-doubt ask waits for a person, who decides by the printed command', async () => {
    const run = await startAndReachSecond(['--in-doubt', 'work=ask'])
    run.child.kill('SIGKILL')
    await run.ended
    folder.write('agents.json', script())
    const waiting = await folder.run(['resume', 's1', '--script', 'agents.json', '--json'])
    expect(waiting.code).toBe(3)
    expect(JSON.parse(waiting.stdout)).toMatchObject({ status: 'waiting', totals: { inDoubtCalls: 1 } })
    expect(folder.executions()).toEqual(asked)
    const shown = (await folder.run(['show', 's1'])).stdout
    expect(shown).toMatch(/^in doubt plan retry · work ask · review retry$/m)
    expect(shown).toMatch(/^work:second:1 +worker +work +second +1 +in-doubt /m)

    const resolved = await folder.paste(offered(waiting.stderr, 'resolve'))
    expect(resolved).toMatchObject({ code: 0, stdout: expect.stringContaining('Session s1 running') })
    const other = await folder.run(['resolve', 's1', 'work:second:1', '--fail'])
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('was resolved before: retry') })

    const resumed = await folder.paste(offered(waiting.stderr, 'resume'))
    expect(resumed.code).toBe(0)
    expect((await folder.json(['show', 's1'])).totals).toMatchObject({ accepted: 2, workerCalls: 3 })
  })
})

describe('cancel', () => {
  it('stops the process that runs the session', async () => {
    const run = await startAndReachSecond()
    const followed = folder.start(['events', 's1', '--follow', '--json'])
    running.push(followed)
    await once(followed.child.stdout!, 'data')
    const cancelled = await folder.run(['cancel', 's1', '--reason', 'wrong branch', '--json'])
    expect(cancelled.code).toBe(0)
    expect(JSON.parse(cancelled.stdout)).toMatchObject({ status: 'cancelled', reason: 'wrong branch' })
    const { code, stdout } = await run.ended
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ status: 'cancelled' })
    const view = await folder.json(['show', 's1'])
    expect(callNamed(view, 'work:second:1')?.status).toBe('cancelled')
    const events = (await followed.ended).stdout.trim().split('\n')
    expect(events.map((line) => (JSON.parse(line) as { type: string }).type).slice(-2)).toEqual([
      'SessionCancelled',
      'AgentCallCancelled',
    ])
    expect(await folder.run(['resume', '--script', 'agents.json'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no unfinished session'),
    })
  })
})

/** Plans one item, whose work ends when go.txt is there. */
const HELD = `
import { appendFileSync, existsSync } from 'node:fs'
const item = { id: 'a', title: 'A', description: 'Do A', acceptanceCriteria: ['done'], priority: 1, dependencies: [] }
const answers = {
  plan: { strategy: 'one', workItems: [item] },
  review: { approved: true, qualityScore: 1, feedback: [], recommendations: [] },
}
export default {
  async execute({ purpose }) {
    appendFileSync('asked.txt', purpose + ' ')
    while (purpose === 'work' && !existsSync('go.txt')) await new Promise((resolve) => setTimeout(resolve, 20))
    return { output: 'done', ...(answers[purpose] && { structured: answers[purpose] }) }
  },
}
`

describe('pause', () => {
  it('lets what runs finish and begins nothing else; resume goes on and asks nothing twice', async () => {
    folder.write('held.mjs', HELD)
    folder.write('asked.txt', '')
    const askedFor = () => readFileSync(folder.file('asked.txt'), 'utf8')
    const executor = ['--executor', 'held.mjs', '--json']
    const run = folder.start(['run', 'x', '--session', 's1', ...executor])
    running.push(run)
    await until(() => askedFor() === 'plan work ', run)
    const paused = await folder.run(['pause', 's1', '--reason', 'lunch', '--json'])
    expect({ ...paused, stdout: JSON.parse(paused.stdout) }).toMatchObject({
      code: 0,
      stdout: { status: 'paused', reason: 'lunch' },
      stderr: expect.stringContaining('duolog resume s1'),
    })
    folder.write('go.txt', '')
    const { code, stdout } = await run.ended
    expect(code).toBe(3)
    const view = JSON.parse(stdout) as SessionView
    expect(view.status).toBe('paused')
    expect(callNamed(view, 'work:a:1')?.status).toBe('completed')
    expect(askedFor()).toBe('plan work ')

    const resumed = await folder.run(['resume', 's1', ...executor])
    expect(resumed.code).toBe(0)
    expect(askedFor()).toBe('plan work review ')
    expect((await folder.run(['pause', 's1'])).code).toBe(1)
  })
})
