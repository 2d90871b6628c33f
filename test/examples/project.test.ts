import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'

const EXAMPLE = fileURLToPath(new URL('../../examples/dual-agent/', import.meta.url))
const ITEMS = ['money', 'shares', 'settle', 'report'] as const
const FIRST = { money: 'money.mjs', shares: 'shares.v1.mjs', settle: 'settle.mjs', report: 'report.mjs' }
const REVISED = { ...FIRST, shares: 'shares.v2.mjs' }

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function freshProject(solutions: Record<string, string> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'duolog-example-'))
  folders.push(folder)
  cpSync(join(EXAMPLE, 'project'), folder, { recursive: true })
  for (const [item, file] of Object.entries(solutions)) {
    cpSync(join(EXAMPLE, 'solutions', file), join(folder, 'src', `${item}.mjs`))
  }
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
    expect(red(folder)).toEqual([...ITEMS])
    expect(gate(folder).passed).toBe(false)
  })

  it('is red in exactly one item after the first attempts, for a reason a person understands', () => {
    const folder = freshProject(FIRST)
    expect(red(folder)).toEqual(['shares'])
    expect(gate(folder, 'shares').text).toContain('failed: loses no cent when 10.00 is split in three')
  })

  it('is green after the revision', () => {
    const folder = freshProject(REVISED)
    expect(red(folder)).toEqual([])
    expect(gate(folder)).toEqual({ passed: true, text: '24 passed, 0 failed\n' })
  })

  it('is red in an item whose dependencies are not written yet', () => {
    expect(red(freshProject({ settle: 'settle.mjs' }))).toContain('settle')
  })
})

describe('the gate', { timeout: 120_000 }, () => {
  it('refuses a work item that has no tests, and says which file it looked for', () => {
    expect(gate(freshProject(REVISED), 'unknown')).toEqual({
      passed: false,
      text: expect.stringContaining('there is no test/unknown.test.mjs'),
    })
  })

  it('refuses an id that leads out of the test folder', () => {
    expect(gate(freshProject(REVISED), '../test/money').passed).toBe(false)
  })

  it('does not pass a folder in which no test ran', () => {
    const folder = freshProject(REVISED)
    rmSync(join(folder, 'test'), { recursive: true })
    expect(gate(folder)).toEqual({ passed: false, text: '0 passed, 0 failed\n' })
  })
})
