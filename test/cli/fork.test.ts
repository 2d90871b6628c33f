import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionComparison } from '../../src/agents/compare-sessions.ts'
import type { Forked } from '../../src/agents/fork-session.ts'
import type { SessionView } from '../../src/agents/session/view.ts'
import { type Folder, newFolder, offered, plain, script } from './duolog.ts'

let folder: Folder
let source: SessionView
beforeAll(async () => {
  folder = newFolder()
  folder.write('fast.json', script())
  source = await folder.json(['run', 'Make two files', '--script', 'fast.json'])
})
afterAll(() => folder.remove())

describe('duolog fork', () => {
  it('says where the fork begins and how to run it; what was bought is not bought again', async () => {
    const asked = folder.executions().length
    const { stdout, code } = await folder.run([
      'fork',
      source.sessionId,
      '--at',
      String(await firstAccepted()),
      '--set',
      'maxRevisions=0',
    ])
    expect(code).toBe(0)
    expect(stdout).toContain(`goes on from ${source.sessionId} after event`)
    const resumed = await folder.paste(
      `${offered(stdout.replace('Run it with: ', '\n  '), 'resume')} --script fast.json --json`,
    )
    expect(JSON.parse(resumed.stdout)).toMatchObject({ status: 'completed', totals: { workerCalls: 1, accepted: 2 } })
    expect(folder.executions().slice(asked)).toEqual(['work second', 'review second'])
  })

  it('takes a plan from a file', async () => {
    const third = { ...script().plans[0]!.workItems[0]!, id: 'third', title: 'Make third', dependencies: ['second'] }
    folder.write('plan.json', { strategy: 'another', workItems: [third] })
    const { sessionId, atVersion } = await folder.json<Forked>([
      'fork',
      source.sessionId,
      '--plan',
      'plan.json',
      '--set',
      'task=Make a third file',
    ])
    expect(atVersion).toBe(source.version)
    const view = await folder.json(['show', sessionId])
    expect(view).toMatchObject({ task: 'Make a third file', forkedFrom: { sessionId: source.sessionId } })
    expect(view.workItems.map(({ id, status }) => `${id} ${status}`)).toEqual([
      'first accepted',
      'second accepted',
      'third working',
    ])
  })

  it.each([
    [['fork', 'nobody'], /There is no session "nobody"/],
    [['fork', 'SOURCE', '--at', '999'], /at: session .* ends at version/],
    [['fork', 'SOURCE'], /is completed.*nothing left to do\. At \d+ or before .*duolog fork \S+ --at \d+.*--plan/],
    [['fork', 'SOURCE', '--set', 'maxRevisions=many'], /settings\.maxRevisions: /],
    [['fork', 'SOURCE', '--set', 'maxRevisions'], /NAME=VALUE/],
    [['fork', 'SOURCE', '--set', 'task=4'], /task: must be text/],
    [['fork', 'SOURCE', '--plan', 'nowhere.json'], /nowhere\.json cannot be read/],
    [['fork', 'SOURCE', '--workdir', 'nowhere'], /workdir: .*nowhere does not exist/],
    [['diff', 'SOURCE', 'nobody'], /There is no session "nobody"/],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await folder.run(args.map((arg) => (arg === 'SOURCE' ? source.sessionId : arg)))
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
  })
})

describe('duolog diff', () => {
  it('shows outcome, calls and cost side by side', async () => {
    const { sessionId } = await folder.json<Forked>(['fork', source.sessionId, '--at', String(await firstAccepted())])
    await folder.json(['resume', sessionId, '--script', 'fast.json'])
    const { stdout } = await folder.run(['diff', source.sessionId, sessionId])
    const lines = plain(stdout).split('\n')
    expect(lines[0]).toMatch(new RegExp(`a: ${source.sessionId} +b: ${sessionId} +b - a`))
    expect(lines.find((line) => line.startsWith('worker calls'))).toMatch(/^worker calls +2 +1 +-1$/)
    expect(stdout).toContain(`Both share the first `)
    const comparison = await folder.json<SessionComparison>(['diff', source.sessionId, sessionId])
    expect(comparison.difference).toMatchObject({ workerCalls: -1, costUsd: -0.035 })
  })
})

async function firstAccepted(): Promise<number> {
  const { stdout } = await folder.run(['events', source.sessionId, '--json'])
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; streamPosition: number })
  return events.find(({ type }) => type === 'WorkItemAccepted')!.streamPosition
}
