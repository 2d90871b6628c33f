import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AgentRequest } from '../../src/agents/executor.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { checkWorkDir } from '../../src/agents/work-dir.ts'
import { observeWork } from '../../src/agents/work-dir-changes.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { openMemoryStore } from '../../src/store/memory/memory-store.ts'
import { approval, planOf } from './session/play.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'duolog-workdir-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
    cwd: folder,
    encoding: 'utf8',
  })
const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
const observe = (work: () => void, base?: string) =>
  observeWork(async () => Promise.resolve(work()).then(() => ({ output: '' })), {
    workDir: folder,
    logger: silentLogger,
    ...(base && { base }),
  })

function repository(): void {
  git('init', '-q')
  write('kept.txt', 'one\n')
  git('add', '.')
  git('commit', '-qm', 'first')
}

describe('what a call changed', () => {
  it('is told by git, untracked files among it, without what was there before; nothing of the repository is touched', async () => {
    repository()
    write('mine.txt', 'local change\n')
    const before = git('status', '--porcelain')
    const { changes } = await observe(() => {
      write('kept.txt', 'two\n')
      write('new.txt', 'fresh\n')
    })
    expect(changes).toMatchObject({ by: 'git', files: ['kept.txt', 'new.txt'], fileCount: 2 })
    for (const line of ['-one', '+two', '+fresh']) expect(changes?.text).toContain(line)
    expect(git('diff', '--cached', '--name-only')).toBe('')
    expect(git('status', '--porcelain').split('\n')).toEqual(expect.arrayContaining(before.trim().split('\n')))
    const second = await observe(() => write('more.txt', 'x\n'), changes?.base)
    expect(second.changes?.files).toEqual(['kept.txt', 'more.txt', 'new.txt'])
  })

  it('runs nothing that the repository configures', async () => {
    repository()
    git('config', 'filter.evil.clean', `touch ${join(folder, 'ran')}; cat`)
    write('.gitattributes', '* filter=evil\n')
    const { changes } = await observe(() => write('kept.txt', 'two\n'))
    expect(changes).toMatchObject({ by: 'files', files: ['kept.txt'] })
  })

  it('runs nothing that a file included by the repository configures', async () => {
    repository()
    write('included', `[filter "evil"]\n\tclean = "touch ${join(folder, 'ran')}; cat"\n`)
    git('config', 'include.path', join(folder, 'included'))
    write('.gitattributes', '* filter=evil\n')
    expect((await observe(() => write('kept.txt', 'two\n'))).changes).toMatchObject({ by: 'files' })
    expect(existsSync(join(folder, 'ran'))).toBe(false)
  })

  it('names the first 500 files and counts all, however long their names are together', async () => {
    repository()
    const named = (n: number) => `${String(n).padStart(4, '0')}-${'x'.repeat(100)}.txt`
    const { changes } = await observe(() => {
      for (let n = 0; n < 1_200; n++) write(named(n), '')
    })
    expect(changes?.fileCount).toBe(1_200)
    expect(changes?.files).toEqual(Array.from({ length: 500 }, (_, n) => named(n)))
  })

  it('is a list of files where there is no repository', async () => {
    write('gone.txt', '')
    write('same.txt', '')
    const { changes } = await observe(() => {
      rmSync(join(folder, 'gone.txt'))
      mkdirSync(join(folder, 'sub'))
      write('sub/new.txt', 'x')
    })
    expect(changes).toMatchObject({ by: 'files', text: 'added sub/new.txt\ndeleted gone.txt' })
  })

  it('is shortened, however much it is', async () => {
    repository()
    const { changes } = await observe(() => write('big.txt', 'line\n'.repeat(200_000)))
    expect(changes?.text.length).toBeLessThan(21_000)
    expect(changes?.text).toContain('characters left out')
  })

  it('is what the executor says, where that says so', async () => {
    const changes = { by: 'files' as const, files: ['a'], fileCount: 1, text: 'added a' }
    const result = await observeWork(async () => ({ output: '', changes }), { workDir: folder, logger: silentLogger })
    expect(result.changes).toBe(changes)
  })

  it('is in the prompt of the review', async () => {
    repository()
    const prompts: string[] = []
    const execute = async ({ purpose, prompt }: AgentRequest) => {
      if (purpose === 'review') prompts.push(prompt)
      if (purpose === 'work') write('kept.txt', 'rounded\n')
      return { output: JSON.stringify(purpose === 'plan' ? planOf({ a: {} }) : approval) }
    }
    const coordinator = new KafkaAgentCoordinator({ store: openMemoryStore(), executor: { execute } })
    await coordinator.run('x', { workDir: folder })
    await coordinator.close()
    expect(prompts[0]).toContain('+rounded')
  })
})

describe('a work directory', () => {
  const check = (workDir: string, workRoot?: string, warn = silentLogger.warn) =>
    checkWorkDir(workDir, { workRoot, logger: { ...silentLogger, warn } })

  it('must be there, and a folder', async () => {
    await expect(check(join(folder, 'ghost'))).rejects.toMatchObject({ code: 'WORKDIR_INVALID' })
    write('file', '')
    await expect(check(join(folder, 'file'))).rejects.toThrow('is not a folder')
  })

  it('must lie in the allowed folder, links followed', async () => {
    mkdirSync(join(folder, 'root'))
    mkdirSync(join(folder, 'rootless'))
    mkdirSync(join(folder, 'root', 'in'))
    symlinkSync(join(folder, 'rootless'), join(folder, 'root', 'out'))
    await check(join(folder, 'root', 'in'), join(folder, 'root'))
    await check(join(folder, 'root'), join(folder, 'root'))
    for (const outside of ['rootless', 'root/out', 'root/..']) {
      await expect(check(join(folder, outside), join(folder, 'root'))).rejects.toThrow('is outside the allowed folder')
    }
  })

  it('with local changes is said to have them, and keeps them', async () => {
    repository()
    write('kept.txt', 'mine\n')
    const warnings: string[] = []
    await check(folder, undefined, (_context, message) => warnings.push(String(message)))
    expect(warnings.join()).toContain('1 local changes. They stay as they are')
    expect(readFileSync(join(folder, 'kept.txt'), 'utf8')).toBe('mine\n')
  })
})

describe('a repository that configures programs', () => {
  it('is not asked for local changes: nothing of it is run, and that is said', async () => {
    repository()
    git('config', 'filter.evil.clean', `touch ${join(folder, 'ran')}; cat`)
    write('.gitattributes', '* filter=evil\n')
    write('kept.txt', 'two\n')
    const warnings: string[] = []
    const warn = (_context: unknown, message?: string) => void warnings.push(String(message))
    await checkWorkDir(folder, { workRoot: undefined, logger: { ...silentLogger, warn } })
    expect(existsSync(join(folder, 'ran'))).toBe(false)
    expect(warnings.join()).toContain('with filters of its own')
  })
})

describe('prompts of a caller', () => {
  it('are asked with, and their version is recorded with the call', async () => {
    const store = openMemoryStore()
    const asked: string[] = []
    const execute = async ({ purpose, prompt }: AgentRequest) => {
      if (purpose === 'work') asked.push(prompt)
      return { output: JSON.stringify(purpose === 'plan' ? planOf({ a: {} }) : approval) }
    }
    const prompts = { work: { version: 'mine-3', render: ({ title }: { title: string }) => `Please: ${title}` } }
    const coordinator = new KafkaAgentCoordinator({ store, executor: { execute }, prompts, workDirChanges: false })
    const view = await coordinator.run('x')
    await coordinator.close()
    expect(asked).toEqual(['Please: Title of a'])
    expect(view.calls.map(({ purpose, promptVersion }) => `${purpose} ${promptVersion}`)).toEqual([
      'plan 1',
      'work mine-3',
      'review 2',
    ])
  })

  it('need a version that is not taken for one of ours', () => {
    const prompts = { plan: { version: 2, render: () => '' } }
    expect(() => new KafkaAgentCoordinator({ store: openMemoryStore(), prompts })).toThrow('prompts.plan.version')
  })
})
