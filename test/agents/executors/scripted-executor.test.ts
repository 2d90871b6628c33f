import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { paidForOf } from '../../../src/agents/executor.ts'
import type { ScriptInput } from '../../../src/agents/executors/script.ts'
import { scriptedExecutor } from '../../../src/agents/executors/scripted-executor.ts'
import { contextOf, errorOf, requestIn, tempFolder } from './support.ts'

const planned = (id: string, dependencies: string[] = []) => ({
  id,
  title: id,
  description: 'd',
  acceptanceCriteria: ['c'],
  dependencies,
})
const planOf = (...ids: string[]) => ({ strategy: 's', workItems: ids.map((id) => planned(id)) })
const simple = (item: NonNullable<ScriptInput['items']>[string]): ScriptInput => ({
  plans: [planOf('a')],
  items: { a: item },
})

describe('scriptedExecutor', () => {
  it('answers plan n on attempt n, text as it is, and repeats the last', async () => {
    const executor = scriptedExecutor({ plans: ['not JSON', planOf('a')], items: { a: { attempts: [{}] } } })
    const ask = (attempt: number) => executor.execute(requestIn('/', { purpose: 'plan', attempt }), contextOf())
    expect(await ask(1)).toEqual({ output: 'not JSON', costUsd: 0 })
    const second = await ask(2)
    expect(second.structured).toMatchObject({ workItems: [{ id: 'a', priority: 3 }] })
    expect(JSON.parse(second.output)).toEqual(second.structured)
    expect(await ask(9)).toEqual(second)
  })

  it('writes the files of the attempt into the work directory and says what it cost', async () => {
    const [scripts, workDir] = [tempFolder(), tempFolder()]
    writeFileSync(join(scripts, 'v1.mjs'), 'export const v = 1\n')
    const script = simple({
      attempts: [
        { output: 'first', files: { 'src/deep/a.mjs': { from: 'v1.mjs' }, 'b.txt': { text: 'b' } }, costUsd: 0.5 },
      ],
    })
    const path = join(scripts, 'script.json')
    writeFileSync(path, JSON.stringify({ ...script, defaults: { work: { costUsd: 9 }, review: { costUsd: 0.25 } } }))
    const executor = scriptedExecutor(path)
    const context = contextOf()
    expect(await executor.execute(requestIn(workDir), context)).toEqual({
      output: 'first',
      costUsd: 0.5,
      artifacts: ['src/deep/a.mjs', 'b.txt'],
    })
    expect(readFileSync(join(workDir, 'src/deep/a.mjs'), 'utf8')).toBe('export const v = 1\n')
    expect(context.messages).toEqual(['wrote src/deep/a.mjs', 'wrote b.txt'])
    const review = await executor.execute(requestIn(workDir, { purpose: 'review' }), contextOf())
    expect(review).toMatchObject({ costUsd: 0.25, structured: { approved: true, qualityScore: 1 } })
  })

  it('takes an error as a failed try of the attempt after it, so that no answer is skipped after a kill', async () => {
    const attempts = [
      { outcome: 'error' as const, output: 'boom', costUsd: 2 },
      { output: 'first' },
      { output: 'second' },
    ]
    const executor = scriptedExecutor(simple({ attempts }))
    const work = (attempt: number, again: number) =>
      executor.execute(requestIn(tempFolder(), { attempt, try: again }), contextOf())
    const error = await errorOf(() => work(1, 1))
    expect(error).toMatchObject({ code: 'EXECUTOR_FAILED', message: 'boom', retry: 'now' })
    expect(paidForOf(error)).toEqual({ costUsd: 2 })
    expect((await work(1, 2)).output).toBe('first')
    expect((await work(1, 3)).output).toBe('first')
    expect((await work(2, 1)).output).toBe('second')
    expect((await work(7, 1)).output).toBe('second')
  })

  it('answers reviews by attempt, a text as it is', async () => {
    const reviews = [{ approved: false, score: 0.3, feedback: ['more'] }, 'fine by me']
    const executor = scriptedExecutor(simple({ attempts: [{}], reviews }))
    const review = (attempt: number) => executor.execute(requestIn('/', { purpose: 'review', attempt }), contextOf())
    expect((await review(1)).structured).toEqual({
      approved: false,
      qualityScore: 0.3,
      feedback: ['more'],
      recommendations: [],
    })
    expect(await review(2)).toEqual({ output: 'fine by me', costUsd: 0 })
  })

  it('stops at once when the signal fires, and writes nothing', async () => {
    const workDir = tempFolder()
    const executor = scriptedExecutor(simple({ attempts: [{ delayMs: 3_600_000, files: { a: { text: 'x' } } }] }))
    const abort = new AbortController()
    const stopped = errorOf(() => executor.execute(requestIn(workDir), contextOf(abort.signal)))
    abort.abort(new Error('cancelled'))
    expect(await stopped).toMatchObject({ code: 'ABORTED' })
    expect(existsSync(join(workDir, 'a'))).toBe(false)
  })

  it('never writes outside the work directory, also not through a link', async () => {
    const [workDir, elsewhere] = [tempFolder(), tempFolder()]
    symlinkSync(elsewhere, join(workDir, 'link'))
    symlinkSync(join(elsewhere, 'made-by-link'), join(workDir, 'dangling'))
    mkdirSync(join(workDir, 'inside'))
    symlinkSync(join(workDir, 'inside'), join(workDir, 'fine'))
    for (const path of ['link/a', 'link/new/a', 'dangling']) {
      const executor = scriptedExecutor(simple({ attempts: [{ files: { [path]: { text: 'x' } } }] }))
      const error = await errorOf(() => executor.execute(requestIn(workDir), contextOf()))
      expect(error).toMatchObject({ code: 'WORKDIR_INVALID', message: expect.stringContaining('symbolic link') })
    }
    expect(
      existsSync(join(elsewhere, 'a')) ||
        existsSync(join(elsewhere, 'new')) ||
        existsSync(join(elsewhere, 'made-by-link')),
    ).toBe(false)
    const executor = scriptedExecutor(simple({ attempts: [{ files: { 'fine/a': { text: 'x' } } }] }))
    await executor.execute(requestIn(workDir), contextOf())
    expect(readFileSync(join(workDir, 'inside/a'), 'utf8')).toBe('x')
  })

  it('records each execution in the journal, start and end', async () => {
    const journalFile = join(tempFolder(), 'journal.jsonl')
    const executor = scriptedExecutor(simple({ attempts: [{ outcome: 'error' }, {}] }), { journalFile })
    await errorOf(() => executor.execute(requestIn('/'), contextOf()))
    await executor.execute(requestIn('/', { callId: 'work:a:1~2', try: 2 }), contextOf())
    const lines = readFileSync(journalFile, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    const common = {
      atMs: expect.any(Number),
      sessionId: 'session-1',
      purpose: 'work',
      workItemId: 'a',
      attempt: 1,
      pid: process.pid,
    }
    expect(lines).toEqual([
      { ...common, callId: 'work:a:1', phase: 'start' },
      { ...common, callId: 'work:a:1', phase: 'end', outcome: 'failed' },
      { ...common, callId: 'work:a:1~2', phase: 'start' },
      { ...common, callId: 'work:a:1~2', phase: 'end', outcome: 'done' },
    ])
  })

  it('says so when it is asked for a work item it does not have', async () => {
    const executor = scriptedExecutor(simple({ attempts: [{}] }))
    const error = await errorOf(() => executor.execute(requestIn('/', { workItemId: 'zz' }), contextOf()))
    expect(error).toMatchObject({ code: 'SCRIPT_INVALID', message: expect.stringContaining('no work item "zz"') })
  })
})

describe('a script that cannot be used is refused when it is loaded', () => {
  const withFiles = (files: object) => ({ plans: [planOf('a')], items: { a: { attempts: [{ files }] } } })
  it.each<[string, object, string]>([
    [
      'an item no plan has',
      { plans: [planOf('a')], items: { a: { attempts: [{}] }, b: { attempts: [{}] } } },
      'items["b"]: no plan has a work item "b" (planned: a)',
    ],
    [
      'a planned item without attempts',
      { plans: [planOf('a', 'b')], items: { a: { attempts: [{}] } } },
      'the planned work item "b" is missing',
    ],
    [
      'an unknown dependency',
      { plans: [{ strategy: 's', workItems: [planned('a', ['zz'])] }], items: { a: { attempts: [{}] } } },
      'plans[0].workItems[0].dependencies[0]: no work item has the id "zz"',
    ],
    [
      'a cycle',
      { plans: [{ strategy: 's', workItems: [planned('a', ['a'])] }], items: { a: { attempts: [{}] } } },
      'cycle: a → a',
    ],
    ['an unknown key', { itmes: {} }, 'unknown key "itmes"'],
    [
      'an unknown key deep inside',
      { items: { a: { attempts: [{ delay: 1 }] } } },
      'items.a.attempts[0]: unknown key "delay"',
    ],
    [
      'a score of 7',
      { items: { a: { attempts: [{}], reviews: [{ approved: true, score: 7 }] } } },
      'items.a.reviews[0].score: must be from 0 to 1',
    ],
    ['no attempts', { items: { a: { attempts: [] } } }, 'items.a.attempts: must hold at least one attempt'],
    ['a path that leads out', withFiles({ '../x': { text: '' } }), 'leads out of the work directory'],
    ['a hidden path that leads out', withFiles({ 'a/../../x': { text: '' } }), 'leads out of the work directory'],
    ['an absolute path', withFiles({ '/etc/x': { text: '' } }), 'absolute path'],
    ['a Windows path', withFiles({ 'C:\\x': { text: '' } }), 'absolute path'],
    ['a source file that is missing', withFiles({ a: { from: 'missing.mjs' } }), '"from" names "missing.mjs"'],
    ['a file without content', withFiles({ a: { form: 'x' } }), 'items.a.attempts[0].files.a: must be { "from"'],
  ])('%s', async (_, script, message) => {
    const path = join(tempFolder(), 'script.json')
    writeFileSync(path, JSON.stringify(script))
    const error = await errorOf(() => scriptedExecutor(path))
    expect(error.code).toBe('SCRIPT_INVALID')
    expect(error.message).toContain(path)
    expect(error.message).toContain(message)
  })

  it('a file that is missing, and one that is not JSON', async () => {
    const folder = tempFolder()
    expect((await errorOf(() => scriptedExecutor(join(folder, 'none.json')))).message).toContain(
      'there is no such file',
    )
    writeFileSync(join(folder, 'half.json'), '{"plans": [')
    const error = await errorOf(() => scriptedExecutor(join(folder, 'half.json')))
    expect(error).toMatchObject({ code: 'SCRIPT_INVALID', message: expect.stringContaining('it is not JSON') })
  })
})
