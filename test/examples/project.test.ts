import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { loadScript } from '../../src/agents/executors/script.ts'

const EXAMPLE = fileURLToPath(new URL('../../examples/dual-agent/', import.meta.url))
const { script, contentOf } = loadScript(join(EXAMPLE, 'dual-agent.script.json'))
const ITEMS = Object.keys(script.items)

/** The files of the script's n-th attempt at each item; the last one repeats, as when it is played. */
function solutions(items: readonly string[], attempt: number): [path: string, content: string | Buffer][] {
  return items.flatMap((id) => {
    const attempts = script.items[id]?.attempts ?? []
    const scripted = attempts[Math.min(attempt, attempts.length) - 1]
    if (scripted?.outcome !== 'done') throw new Error(`attempt ${attempt} of ${id} writes no files`)
    return Object.entries(scripted.files).map(([path, file]): [string, string | Buffer] => [path, contentOf(file)])
  })
}

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function freshProject(files: readonly [path: string, content: string | Buffer][] = []): string {
  const folder = mkdtempSync(join(tmpdir(), 'duolog-example-'))
  folders.push(folder)
  cpSync(join(EXAMPLE, 'project'), folder, { recursive: true })
  for (const [path, content] of files) writeFileSync(join(folder, path), content)
  return folder
}

function gate(folder: string, item?: string) {
  const { DUOLOG_WORK_ITEM_ID: _, ...env } = process.env
  const { status, stdout } = spawnSync(process.execPath, [join(EXAMPLE, 'gate.mjs')], {
    cwd: folder,
    env: item === undefined ? env : { ...env, DUOLOG_WORK_ITEM_ID: item },
    encoding: 'utf8',
  })
  return { passed: status === 0, text: stdout }
}

function red(folder: string): string[] {
  return ITEMS.filter((item) => !gate(folder, item).passed)
}

describe('the example project', { timeout: 120_000 }, () => {
  it('is red in every item before anybody worked on it', () => {
    const folder = freshProject()
    expect(ITEMS).toEqual(['money', 'shares', 'settle', 'report'])
    expect(red(folder)).toEqual(ITEMS)
    expect(gate(folder).passed).toBe(false)
  })

  it('is red in exactly one item after the first attempts, for a reason a person understands', () => {
    const folder = freshProject(solutions(ITEMS, 1))
    expect(red(folder)).toEqual(['shares'])
    expect(gate(folder, 'shares').text).toContain('failed: loses no cent when 10.00 is split in three')
  })

  it('is green after the revision', () => {
    const folder = freshProject(solutions(ITEMS, 2))
    expect(red(folder)).toEqual([])
    expect(gate(folder)).toEqual({ passed: true, text: '24 passed, 0 failed\n' })
  })

  it('needs of the other items only those the plan says', () => {
    const [plan] = script.plans
    if (typeof plan !== 'object' || !('workItems' in plan)) throw new Error('the script has no plan')
    for (const { id, dependencies } of plan.workItems) {
      const needed = reachable(plan.workItems, dependencies)
      expect([id, gate(freshProject(solutions([id, ...needed], 2)), id).passed]).toEqual([id, true])
      for (const missing of needed) {
        const rest = needed.filter((other) => other !== missing)
        expect([id, missing, gate(freshProject(solutions([id, ...rest], 2)), id).passed]).toEqual([id, missing, false])
      }
    }
  })
})

function reachable(items: readonly { id: string; dependencies: string[] }[], ids: readonly string[]): string[] {
  const direct = items.filter(({ id }) => ids.includes(id))
  const further = direct.flatMap(({ dependencies }) => reachable(items, dependencies))
  return [...new Set([...ids, ...further])]
}

describe('the gate', { timeout: 120_000 }, () => {
  it('refuses a work item that has no tests, and says which file it looked for', () => {
    expect(gate(freshProject(solutions(ITEMS, 2)), 'unknown')).toEqual({
      passed: false,
      text: expect.stringContaining('there is no test/unknown.test.mjs'),
    })
  })

  it('refuses an id that leads out of the test folder', () => {
    expect(gate(freshProject(solutions(ITEMS, 2)), '../test/money').passed).toBe(false)
  })

  it('does not pass a folder in which no test ran', () => {
    const folder = freshProject(solutions(ITEMS, 2))
    rmSync(join(folder, 'test'), { recursive: true })
    expect(gate(folder)).toEqual({ passed: false, text: '0 passed, 0 failed\n' })
  })
})
