import { existsSync, readFileSync, truncateSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionView } from '../../src/agents/session/view.ts'
import { type Ended, type Folder, newFolder, script } from './duolog.ts'

/* Each: a clear error that says what to do, an exit code, no stack, and a log as it was before. */

let folder: Folder
beforeAll(async () => {
  folder = newFolder()
  folder.write('agents.json', script({ files: false }))
  folder.write('broken.json', '{ "plans": [')
  await folder.run(['run', 'x', '--script', 'agents.json', '--session', 'good', '--log', 'file:good.db'])
})
afterAll(() => folder.remove())

const run = (...args: string[]) => folder.run(['run', 'x', ...args])
const scripted = ['--script', 'agents.json']

function expectRefused({ code, stdout, stderr }: Ended, ...says: (string | RegExp)[]): void {
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^duolog: /)
  expect(stderr).not.toMatch(/^ +at /m)
  for (const part of says) expect(stderr).toMatch(part)
}

describe.concurrent('the command line', () => {
  it.each([
    ['an unknown command', ['rnu', 'x'], 'Did you mean run?'],
    ['an unknown option', ['run', 'x', '--jsno'], 'Did you mean --json?'],
    ['no task', ['run'], "missing required argument 'task'"],
    ['a number that is none', ['run', 'x', '--max-concurrent', 'two'], 'It must be a whole number from 1'],
    ['a policy that is none', ['run', 'x', '--in-doubt', 'panic'], 'It must be retry, resume or ask, or by purpose'],
    ['a gate without its quote', ['run', 'x', '--gate', `npm "test`], 'A quote is not closed'],
    ['two gates of one name', ['run', 'x', '--gate', 'a=b', '--gate', 'a=c'], 'Two gates are called a'],
    ['two executors', ['run', 'x', ...scripted, '--command', 'cat'], "cannot be used with option '--command"],
    ['no resolution', ['resolve', 's', 'c'], '--retry, --resume or --fail'],
    ['an executor nobody would use', ['run', 'x', ...scripted, '--dispatch', 'topics'], 'belongs to the services'],
  ])('with %s', async (_, args, says) => expectRefused(await folder.run(args), says))

  it('without an executor explains the three ways', async () => {
    const ways = ['--script FILE', 'dual-agent.script.json', "--command 'PROGRAM'", '--executor FILE']
    expectRefused(await run(), ...ways)
  })

  it('with --json gives the error as JSON, too', async () => {
    const { code, stdout, stderr } = await run('--bogus', '--json')
    expect(code).toBe(2)
    expect(JSON.parse(stdout)).toEqual({ error: { code: 'INVALID_ARGUMENT', message: "unknown option '--bogus'" } })
    expect(stderr).toContain("duolog: unknown option '--bogus'")
  })

  it('shows where it came from only when asked', async () => {
    const { stderr } = await folder.run(['sessions', '--log', 'mysql:x'], { DUOLOG_DEBUG: '1' })
    expect(stderr).toMatch(/^ +at /m)
  })
})

describe.concurrent('an executor that could make no call at all is refused before a session is written', () => {
  const nothingWritten = () => expect(existsSync(folder.file('unbegun.db'))).toBe(false)
  const log = ['--log', 'file:unbegun.db']

  it('a program that is not there', async () => {
    expectRefused(await run('--command', 'nosuchprogram --json', ...log), '"nosuchprogram" is in no folder of PATH')
    expectRefused(await run('--command', './nosuch.sh', ...log), '"./nosuch.sh" is not there', folder.file('nosuch.sh'))
    folder.write('plain.sh', '#!/bin/sh\n')
    expectRefused(await run('--command', './plain.sh', ...log), 'may not be executed', 'chmod +x')
    nothingWritten()
  })

  it('Claude without its package, or inside another session of it', async () => {
    const hook = `import { registerHooks } from 'node:module'
      registerHooks({ resolve(name, context, next) {
        if (name.startsWith('@anthropic-ai/')) throw new Error('Cannot find package ' + name)
        return next(name, context)
      } })`
    const without = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hook)}`, CLAUDECODE: '' }
    const claude = ['run', 'x', '--executor', 'claude', ...log]
    expectRefused(await folder.run(claude, without), 'npm install @anthropic-ai/claude-agent-sdk')
    expectRefused(await folder.run(claude, { CLAUDECODE: '1' }), 'inside a Claude Code session')
    nothingWritten()
  })

  it('also of a session that is gone on with, which stays as it was', async () => {
    const log = ['--log', 'file:waiting.db']
    expect((await run(...scripted, ...log, '--session', 'waiting', '--approve', 'plan')).code).toBe(3)
    const before = await folder.json(['show', 'waiting', ...log])
    expectRefused(await folder.run(['resume', 'waiting', '--command', 'nosuchprogram', ...log]), 'nosuchprogram')
    expectRefused(await folder.run(['worker', '--command', 'nosuchprogram', ...log]), 'nosuchprogram')
    expect(await folder.json(['show', 'waiting', ...log])).toEqual(before)
  })
})

describe.concurrent('the work directory', () => {
  it.each([
    ['nowhere', 'does not exist'],
    ['agents.json', 'is not a folder'],
  ])('%s', async (workdir, says) => {
    expectRefused(await run(...scripted, '--workdir', workdir, '--log', 'file:none.db'), 'workdir: ', says)
    expect(existsSync(folder.file('none.db'))).toBe(false)
  })

  it('outside the allowed folder: of a new session, a resumed one and a fork', async () => {
    const log = ['--log', 'file:rooted.db']
    const says = ['workDir: ', 'outside the allowed folder']
    expectRefused(await run(...scripted, '--work-root', 'inside', ...log), ...says)
    expect((await run(...scripted, ...log, '--session', 'held', '--approve', 'plan')).code).toBe(3)
    expectRefused(await folder.run(['resume', 'held', ...scripted, ...log], { DUOLOG_WORK_ROOT: 'inside' }), ...says)
    expectRefused(await folder.run(['fork', 'held', ...log, '--work-root', 'inside']), ...says)
    const held = await run(...scripted, ...log, '--session', 'in', '--approve', 'plan', '--work-root', '.')
    expect(held).toMatchObject({ code: 3, stdout: expect.stringContaining('--work-root .') })
  })
})

describe.concurrent('the log', () => {
  it('of an unknown scheme', async () => {
    expectRefused(await run(...scripted, '--log', 'kafak://h:1'), 'Did you mean "kafka"', 'file:./run.db')
  })

  it('whose broker cannot be reached, in bounded time', async () => {
    const startedAt = performance.now()
    expectRefused(await run(...scripted, '--log', 'kafka://user:secret-word@127.0.0.1:9'), '127.0.0.1:9')
    // 9 s on a quiet machine; the processes of the other tests share its cores.
    expect(performance.now() - startedAt).toBeLessThan(40_000)
  })

  it('that is not there, and is not made by looking', async () => {
    expectRefused(await folder.run(['sessions', '--log', 'file:none.db']), 'There is no log at none.db', '--log')
    expect(existsSync(folder.file('none.db'))).toBe(false)
  })

  it("that is another program's database", async () => {
    const db = new DatabaseSync(folder.file('other.db'))
    db.exec('CREATE TABLE precious (x); INSERT INTO precious VALUES (1)')
    db.close()
    await unchanged('other.db', "another program's")
  })

  it('that is no database', async () => {
    folder.write('text.db', 'dear diary, '.repeat(1000))
    await unchanged('text.db', 'not a SQLite database')
  })

  it('that is half-written', async () => {
    folder.write('half.db', '')
    await folder.run(['run', 'x', ...scripted, '--log', 'file:half.db'])
    truncateSync(folder.file('half.db'), 5000)
    await unchanged('half.db', /half\.db/)
  })

  it('that a newer version of the package has written', async () => {
    await folder.run(['run', 'x', ...scripted, '--log', 'file:newer.db'])
    const db = new DatabaseSync(folder.file('newer.db'))
    db.exec('PRAGMA user_version = 99; PRAGMA journal_mode = DELETE')
    db.close()
    await unchanged('newer.db', 'newer')
  })

  async function unchanged(name: string, says: string | RegExp): Promise<void> {
    const before = readFileSync(folder.file(name))
    expectRefused(await run(...scripted, '--log', `file:${name}`), name, says)
    expect(readFileSync(folder.file(name)).equals(before)).toBe(true)
  }
})

describe.concurrent('the session', () => {
  it.each([
    ['show', []],
    ['events', []],
    ['resume', scripted],
    ['cancel', []],
  ])('that %s does not find', async (command, options) => {
    expectRefused(await folder.run([command, 'nope', '--log', 'file:good.db', ...options]), '"nope"', 'duolog sessions')
  })

  it('without such a call', async () => {
    expectRefused(await folder.run(['resolve', 'good', 'nope', '--retry', '--log', 'file:good.db']), 'no call "nope"')
  })

  it('whose call was never in doubt', async () => {
    const refused = await folder.run(['resolve', 'good', 'plan:1', '--retry', '--log', 'file:good.db'])
    expectRefused(refused, 'Call plan:1 is completed, not in doubt')
  })
})

describe.concurrent('a session with an event of a newer version of the package', () => {
  const newer = ["type = 'SessionTeleported'", 'version = 99']

  it.each(newer)('(%s) is not gone on with, only printed', async (change) => {
    const name = `${change.slice(0, 4)}.db`
    const log = ['--log', `file:${name}`]
    const { sessionId } = await folder.json(['run', 'x', ...scripted, ...log])
    const db = new DatabaseSync(folder.file(name))
    db.exec(`UPDATE records SET ${change} WHERE type = 'SessionCompleted'`)
    db.close()
    const before = await folder.run(['events', sessionId, ...log])
    expect(before).toMatchObject({ code: 0, stderr: '' })
    for (const args of [['show'], ['cancel'], ['resume', ...scripted]]) {
      const [command = '', ...options] = args
      expectRefused(await folder.run([command, sessionId, ...options, ...log]), /update this (one|program)/)
    }
    expect(await folder.run(['events', sessionId, ...log])).toEqual(before)
  })
})

describe.concurrent('the executor module', () => {
  let modules = 0
  const module = (source: string) => folder.write(`agent-${++modules}.mjs`, source)

  it.each([
    ['that throws while it is loaded', 'throw new Error("no key")', 'no key'],
    ['of the wrong shape', 'export default { exeucte() {} }', 'not an AgentExecutor'],
    ['without a default export', 'export const x = 1', 'no default export'],
    ['that is not JavaScript', 'this is not a program', 'fails while it is loaded'],
  ])('%s', async (_, source, says) => {
    const name = module(source)
    expectRefused(await run('--executor', name, '--log', 'file:none.db'), name, says)
    expect(existsSync(folder.file('none.db'))).toBe(false)
  })

  it('that is not there', async () => {
    expectRefused(await run('--executor', 'nowhere.mjs', '--log', 'file:none.db'), 'there is no such file')
  })

  it('that answers garbage', async () => {
    await failsVisibly(['--executor', module('export default { execute: async () => 42 }')], 'output')
  })

  it('that throws when it is asked', async () => {
    await failsVisibly(
      ['--executor', module('export default { execute() { throw new Error("quota used up") } }')],
      'quota used up',
    )
  })

  it('that breaks outside of a call leaves a session to resume', async () => {
    const late = 'setTimeout(() => { throw new Error("late") }, 100)'
    const name = module(`export default { execute: () => new Promise(() => { ${late} }) }`)
    const { code, stderr } = await run('--executor', name, '--session', 'broken', '--log', 'file:late.db')
    expect(code).toBe(1)
    expect(stderr).toContain('duolog: unexpected: late')
    const resumed = await folder.run(['resume', 'broken', ...scripted, '--log', 'file:late.db'])
    expect(resumed.code).toBe(0)
  })
})

describe.concurrent('the command that does the work', () => {
  it.each([
    ['that exits 137', `node -e "process.exit(137)"`, [], '137'],
    ['that prints garbage', `node -e "console.log('%%%')"`, [], 'result'],
    ['that never ends', `node -e "setInterval(() => {}, 1000)"`, ['--call-timeout', '1'], 'longer than 1000 ms'],
  ])('%s', (_, command, options, says) => failsVisibly(['--command', command, ...options], says))
})

describe.concurrent('the script', () => {
  it('with an item that no plan has', async () => {
    const strange = script()
    folder.write('strange.json', { ...strange, items: { ...strange.items, thrid: { attempts: [{}] } } })
    expectRefused(await run('--script', 'strange.json', '--log', 'file:none.db'), 'strange.json', '"thrid"')
    expect(existsSync(folder.file('none.db'))).toBe(false)
  })

  it.each([
    ['that is not there', 'nowhere.json', 'there is no such file'],
    ['that is not JSON', 'broken.json', 'not JSON'],
  ])('%s', async (_, name, says) => {
    expectRefused(await run('--script', name, '--log', 'file:none.db'), name, says)
  })
})

/** The session fails and says why; the log is whole and takes the next one. */
async function failsVisibly(options: readonly string[], says: string): Promise<void> {
  const { code, stdout } = await run(...options, '--log', 'file:failed.db', '--json')
  const view = JSON.parse(stdout) as SessionView
  expect({ code, status: view.status }).toEqual({ code: 1, status: 'failed' })
  expect(view.reason).toContain(says)
  const next = await run(...scripted, '--log', 'file:failed.db')
  expect(next.code).toBe(0)
}
