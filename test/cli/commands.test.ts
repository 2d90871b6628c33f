import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionSummary } from '../../src/agents/read-sessions.ts'
import type { SessionView } from '../../src/agents/session/view.ts'
import { VERSION } from '../../src/agents/version.ts'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { createProgram } from '../../src/cli/program.ts'
import { type Ended, type Folder, newFolder, plain, script } from './duolog.ts'

let folder: Folder
beforeAll(() => {
  folder = newFolder()
  folder.write('fast.json', script())
})
afterAll(() => folder.remove())

describe('a session that completes', () => {
  let ran: Ended
  let view: SessionView
  beforeAll(async () => {
    ran = await folder.run(['run', 'Make two files', '--script', 'fast.json', '--json'])
    view = JSON.parse(ran.stdout) as SessionView
  })

  it('exits 0 with one JSON value on stdout', () => {
    expect(ran.code).toBe(0)
    expect(view).toMatchObject({
      sessionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      status: 'completed',
      version: expect.any(Number),
      workItems: [
        { id: 'first', title: 'Make first', status: 'accepted', attempts: 1, revisions: 0 },
        { id: 'second', title: 'Make second', status: 'accepted', attempts: 1, revisions: 0 },
      ],
      totals: { workerCalls: 2, managerCalls: 3, costUsd: 0.05 },
    })
    expect(view.calls).toHaveLength(5)
    expect(view.calls[1]).toMatchObject({
      callId: expect.any(String),
      role: 'worker',
      purpose: 'work',
      workItemId: 'first',
      attempt: 1,
      status: 'completed',
      costUsd: 0.01,
    })
  })

  it('keeps what each call answered: duolog output', async () => {
    const { callId } = view.calls[1]!
    const printed = await folder.run(['output', view.sessionId, callId])
    expect(printed).toMatchObject({ code: 0, stderr: '' })
    expect(await folder.json(['output', view.sessionId, callId])).toEqual({ output: printed.stdout.trimEnd() })
    const none = await folder.run(['output', view.sessionId, 'work:third:1'])
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('has no answer of a call "work:third:1"')])
  })

  it('tells its progress on stderr, one line per event', () => {
    const lines = ran.stderr.split('\n').map((line) => line.replace(/^\d\d:\d\d:\d\d /, ''))
    expect(lines.slice(0, 4)).toEqual([
      `session ${view.sessionId} started: Make two files`,
      'plan: 2 work items: first, second',
      'first: assigned, attempt 1',
      'first: work done, attempt 1',
    ])
    expect(lines).toContain('session completed')
  })

  it('is shown as run had printed it, and as it was before', async () => {
    const { sessionId, version } = view
    expect(await folder.json(['show', sessionId])).toEqual(view)
    const before = await folder.json(['show', sessionId, '--at', '3'])
    expect(before).toMatchObject({ sessionId, version: 3, status: 'planning', workItems: [] })
    const beyond = await folder.run(['show', sessionId, '--at', String(version + 1)])
    expect(beyond).toMatchObject({ code: 2, stderr: `duolog: at: the session ends at version ${version}\n` })
  })

  it('is shown to people as tables', async () => {
    const { stdout, code } = await folder.run(['show', view.sessionId])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^Make two files\nsession {2}/)
    expect(stdout).toMatch(/^in doubt retry$/m)
    expect(stdout).toMatch(/^first +accepted +1 +0 +\$0\.01 {2}Make first$/m)
    expect(stdout).toMatch(/^work:first:1 +worker +work +first +1 +completed +\$0\.01/m)
    expect(stdout).toContain('2/2 accepted · 2 worker calls · 3 manager calls · $0.05')
  })

  it('is listed', async () => {
    const [first, ...others] = await folder.json<SessionSummary[]>(['sessions'])
    expect(others).toEqual([])
    expect(first).toMatchObject({ sessionId: view.sessionId, status: 'completed', totals: view.totals })
    const { stdout } = await folder.run(['sessions'])
    expect(stdout).toMatch(new RegExp(`^${view.sessionId} +completed +2/2 +\\$0\\.05 +${view.version} `, 'm'))
  })

  it('gives its events as lines, from anywhere', async () => {
    const { stdout } = await folder.run(['events', view.sessionId, '--json'])
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; streamPosition: number })
    expect(events.map((event) => event.streamPosition)).toEqual(events.map((_, index) => index + 1))
    expect(events.at(-1)?.type).toBe('SessionCompleted')
    const last = await folder.run(['events', view.sessionId, '--from', String(view.version), '--follow'])
    expect(last.code).toBe(0)
    expect(last.stdout).toMatch(/^ *\d+ {2}\S+Z {2}SessionCompleted +acceptedWorkItems=\["first","second"\]\n$/)
  })

  it('is returned as it is by resume, without an executor', async () => {
    expect(await folder.json(['resume', view.sessionId])).toEqual(view)
  })

  it('cannot be cancelled any more', async () => {
    const { code, stdout } = await folder.run(['cancel', view.sessionId, '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toEqual(view)
  })

  it('has an id that is not given twice', async () => {
    const again = await folder.run(['run', 'x', '--script', 'fast.json', '--session', view.sessionId])
    expect(again).toMatchObject({ code: 2, stdout: '' })
    expect(again.stderr).toContain('exists already')
  })

  it('ends quietly when the reader has seen enough', async () => {
    const { child, ended } = folder.start(['events', view.sessionId, '--json'])
    child.stdout?.destroy()
    expect(await ended).toMatchObject({ code: 0, stderr: '' })
  })

  it('says what was asked, to people', async () => {
    const { stdout } = await folder.run(['resume', view.sessionId])
    expect(stdout).toBe(
      `Session ${view.sessionId} completed\n  2/2 accepted · 2 worker calls · 3 manager calls · $0.05 · ${view.version} events\n` +
        `Look further:\n  duolog show ${view.sessionId}\n`,
    )
  })
})

describe('gates', () => {
  it('decide, by name, whether a result is accepted', async () => {
    const gates = ['--gate', 'first-there=test -f first.txt', '--gate', `node -e "process.exit(1)"`]
    const args = ['run', 'x', '--script', 'fast.json', ...gates, '--max-revisions', '0', '--session', 'gated', '--json']
    const { code, stdout } = await folder.run(args)
    const view = JSON.parse(stdout) as SessionView
    expect(code).toBe(1)
    expect(view.workItems.map(({ status }) => status)).toEqual(['failed', 'blocked'])
    expect(
      view.calls
        .filter(({ role }) => role === 'gate')
        .map(({ callId }) => callId)
        .sort(),
    ).toEqual(['gate:first:1:first-there', 'gate:first:1:node--e-process.exit-1-'])
  })
})

describe('help', () => {
  const commands = 'run resume sessions show events cancel resolve manager worker coordinator'.split(' ')

  it.each(commands)('of %s has examples', (name) => {
    let text = ''
    const command = createProgram().commands.find((candidate) => candidate.name() === name)
    command?.configureOutput({ writeOut: (part) => (text += part) }).outputHelp()
    expect(text).toMatch(new RegExp(`Examples:\\n  duolog ${name}`))
  })

  it('names every command and exit code', async () => {
    const { stdout } = await folder.run(['--help'])
    expect(commands.filter((command) => !new RegExp(`^  ${command} `, 'm').test(stdout))).toEqual([])
    const codes = [...stdout.matchAll(/^ *(\d+) {2}\w/gm)].map(([, code]) => Number(code))
    expect(codes).toEqual(Object.values(EXIT))
  })

  it('has the version of the package', async () => {
    expect(await folder.run(['--version'])).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' })
  })
})

describe.skipIf(process.platform !== 'linux')('on a terminal', () => {
  const onTerminal = (line: string) => folder.terminal(`stty cols 120 rows 30; TERM=xterm-256color ${line}`).ended

  it('shows the tree while it runs', async () => {
    const { code, stdout } = await onTerminal('duolog run "Make two files" --script fast.json --session seen')
    expect(code).toBe(0)
    expect(stdout).toContain('\u001b[?25l')
    expect(stdout.lastIndexOf('\u001b[?25h')).toBeGreaterThan(stdout.lastIndexOf('\u001b[?25l'))
    expect(stdout).toContain('\u001b[32m✓')
    const last = plain(stdout).split('✓ Make two files').at(-1)
    expect(last).toMatch(/^ {2}completed · 2\/2 accepted · .* · \$0\.05\n├─ ✓ first +Make first +accepted · 1 attempt/)
    expect(last).toContain('Session seen completed')
  })

  it('has colours, unless NO_COLOR is set', async () => {
    const lines = ['duolog show seen', 'NO_COLOR=1 duolog show seen']
    const [painted, bare] = await Promise.all(lines.map(onTerminal))
    expect(painted?.stdout).toContain('\u001b[1m')
    expect(bare?.stdout).not.toContain('\u001b[')
    expect(plain(painted?.stdout ?? '')).toBe(plain(bare?.stdout ?? ''))
  })
})
