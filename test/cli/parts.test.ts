import { afterEach, describe, expect, it } from 'vitest'
import { initialSessionState } from '../../src/agents/session/evolve.ts'
import { type SessionView, sessionView } from '../../src/agents/session/view.ts'
import { shortData } from '../../src/cli/event-data.ts'
import { eventLine } from '../../src/cli/event-line.ts'
import { EXIT, exitCodeOf } from '../../src/cli/exit-codes.ts'
import { hideSqliteWarning } from '../../src/cli/quiet-warnings.ts'
import { collect, collectGate, settingsFrom } from '../../src/cli/settings-flags.ts'
import { splitCommand } from '../../src/cli/split-command.ts'
import { goOnLines } from '../../src/cli/summary.ts'
import type { RecordedEvent } from '../../src/core/event.ts'
import { DEFAULT_LOG } from '../../src/store/default-log.ts'

describe('a command as text', () => {
  it.each([
    ['npm test', ['npm', 'test']],
    [`  node  -e "process.exit(1)" `, ['node', '-e', 'process.exit(1)']],
    [`a 'b c'"d e"f ''`, ['a', 'b cd ef', '']],
    [`echo "it's" $HOME *`, ['echo', "it's", '$HOME', '*']],
  ])('%s', (text, words) => expect(splitCommand(text)).toEqual(words))

  it.each([`say "hello`, `'`, '', '   ', `"" x`])('refuses %j', (text) => expect(() => splitCommand(text)).toThrow())
})

describe('a gate', () => {
  it.each([
    ['npm test', 'npm-test', ['npm', 'test']],
    ['tests=npm test', 'tests', ['npm', 'test']],
    ['./check.sh --level=2', '.-check.sh---level-2', ['./check.sh', '--level=2']],
    ['x=a=b', 'x', ['a=b']],
  ])('%s', (text, gateId, command) => expect(collectGate(text)).toEqual([{ gateId, command }]))

  it('joins those before it', () => {
    expect(collectGate('b=y', collectGate('a=x')).map(({ gateId }) => gateId)).toEqual(['a', 'b'])
    expect(() => collectGate('a=y', collectGate('a=x'))).toThrow('Two gates are called a')
  })

  it('takes --allow-tool several times, in the words of the executor', () => {
    const allowTool = collect('Bash(npm test)', collect('Read'))
    expect(settingsFrom({ allowTool })).toEqual({ allowedTools: ['Read', 'Bash(npm test)'] })
    expect(settingsFrom({})).toEqual({})
  })
})

function event(type: string, data: unknown): RecordedEvent {
  const envelope = { eventId: 'e', version: 1, correlationId: 's1', headers: {}, topic: 't', partition: 0, offset: 0 }
  const place = { key: 's1', stream: 's1', streamPosition: 1, globalPosition: 1 }
  return { type, data, timestamp: '2026-11-23T19:04:05.678Z', ...envelope, ...place }
}

describe('a line for an event', () => {
  it('is for people who watch', () => {
    expect(eventLine(event('WorkItemAccepted', { workItemId: 'money', attempt: 1 }))).toBe('19:04:05 money: accepted')
    const sentBack = { workItemId: 'money', attempt: 1, feedback: ['first\n\u001b[2Jline', 'x'.repeat(500)] }
    expect(eventLine(event('RevisionRequested', sentBack))).toMatch(/^19:04:05 money: sent back: first line; x{160,}…$/)
  })

  it.each(['AgentCallReserved', 'WorkItemCreated', 'toString', 'SomethingOfTomorrow'])('is not made of %s', (type) => {
    expect(eventLine(event(type, {}))).toBeUndefined()
  })
})

describe('the data of an event on one line', () => {
  it.each([
    [
      { callId: 'work:a:1', attempt: 1, output: 'a "b"\n c' },
      String.raw`callId=work:a:1 attempt=1 output="a \"b\"\n c"`,
    ],
    [{ list: ['a', 'b'], none: null }, 'list=["a","b"] none=null'],
    [{ long: 'y'.repeat(100) }, `long=${'y'.repeat(59)}…`],
    ['text', 'text'],
    [undefined, ''],
  ])('%j', (data, line) => expect(shortData(data)).toBe(line))
})

const viewWith = (part: Partial<SessionView>): SessionView => ({
  ...sessionView('s1', initialSessionState(), 1),
  ...part,
})

describe('the exit code of a session', () => {
  it.each([
    ['completed', true, EXIT.completed],
    ['failed', true, EXIT.failed],
    ['cancelled', false, EXIT.failed],
    ['waiting', false, EXIT.waiting],
    ['paused', false, EXIT.waiting],
    ['paused', true, EXIT.interrupted],
    ['running', true, EXIT.interrupted],
  ] as const)('%s, interrupted: %s', (status, interrupted, code) => {
    expect(exitCodeOf({ status }, interrupted)).toBe(code)
  })
})

describe('warnings of Node', () => {
  const original = process.emitWarning
  afterEach(() => {
    process.emitWarning = original
  })

  it('are passed on, but for the one about SQLite', () => {
    const heard: unknown[][] = []
    process.emitWarning = ((...args: unknown[]) => heard.push(args)) as typeof process.emitWarning
    hideSqliteWarning()
    process.emitWarning('SQLite is an experimental feature and might change at any time', 'ExperimentalWarning')
    process.emitWarning('something else', 'DeprecationWarning')
    expect(heard).toEqual([['something else', 'DeprecationWarning']])
  })
})

describe('how to go on', () => {
  const log = DEFAULT_LOG

  it('is the command with all that differs from the defaults, quoted for a shell', () => {
    const flags = { log: 'file:my log.db', command: ['my agent', '--it=is'] }
    expect(goOnLines(viewWith({ status: 'paused' }), flags)).toEqual([
      'Go on with:',
      `  duolog resume s1 --log 'file:my log.db' --command ''\\''my agent'\\'' --it=is'`,
    ])
  })

  it('says that somebody has to do the work, where it does not know who', () => {
    const [heading] = goOnLines(viewWith({ status: 'running' }), { log })
    expect(heading).toBe('Go on with (and who does the work: --script, --command or --executor):')
  })

  it('is to look on, where services do the work', () => {
    const view = viewWith({ status: 'running', dispatch: 'topics' })
    expect(goOnLines(view, { log })).toEqual(['Its services go on. Follow:', '  duolog events s1 --follow'])
  })

  it('is to look, when it has ended, and nothing when the log is gone', () => {
    const view = viewWith({ status: 'failed' })
    expect(goOnLines(view, { log })).toEqual(['Look further:', '  duolog show s1'])
    expect(goOnLines(view, { log: 'memory:' })).toEqual([])
  })
})
