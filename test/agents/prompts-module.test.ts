import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadPromptsModule } from '../../src/agents/prompts/prompts-module.ts'
import { promptsWith } from '../../src/agents/prompts/session-prompts.ts'
import { errorOf, tempFolder } from './executors/support.ts'

function moduleFile(name: string, source: string): string {
  const path = join(tempFolder(), name)
  writeFileSync(path, source)
  return path
}

const input = { task: 't', maxWorkItems: 1, errors: [] }

describe('loadPromptsModule', () => {
  it.each([
    ['a module', 'p.mjs', 'export default { plan: { version: "mine-1", render: ({ task }) => "Plan " + task } }'],
    ['CommonJS', 'p.cjs', 'module.exports = { plan: { version: "mine-1", render: ({ task }) => "Plan " + task } }'],
  ])('loads %s', async (_, name, source) => {
    const own = await loadPromptsModule(moduleFile(name, source))
    expect(own.plan?.version).toBe('mine-1')
    expect(own.plan?.render(input)).toBe('Plan t')
    expect(Object.keys(own)).toEqual(['plan'])
  })

  it.each([
    ['throws while it is loaded', 'throw new Error("no licence")', 'fails while it is loaded: no licence'],
    ['has no default export', 'export const plan = {}', 'has no default export: add "export default { work:'],
    ['exports a function', 'export default () => ({})', 'its default export is a function'],
    [
      'names no such purpose',
      'export default { wrok: {} }',
      'prompts.wrok: there is no such prompt; give any of plan,',
    ],
    ['has null for a prompt', 'export default { work: null }', 'prompts.work.version: must be a text'],
    [
      'has a version that is a number',
      'export default { work: { version: 2 } }',
      'prompts.work.version: must be a text',
    ],
    ['has nothing to render', 'export default { work: { version: "a" } }', 'prompts.work.render: must be a function'],
  ])('refuses a module that %s', async (_, source, message) => {
    const path = moduleFile('bad.mjs', source)
    const error = await errorOf(() => loadPromptsModule(path))
    expect(error.code).toBe('INVALID_ARGUMENT')
    expect(error.message).toContain(`Prompts module ${path} cannot be used: `)
    expect(error.message).toContain(message)
  })

  it('refuses a file that is not there', async () => {
    const error = await errorOf(() => loadPromptsModule(join(tempFolder(), 'none.mjs')))
    expect(error.message).toContain('there is no such file')
  })
})

describe('a wording of a caller’s own', () => {
  it.each([
    [() => undefined as never, 'prompts.plan.render: must give a text that is not empty, but gave undefined'],
    [() => '', 'prompts.plan.render: must give a text that is not empty'],
    [() => fail('no template'), 'prompts.plan.render fails: no template'],
  ])('that gives no text is an error that says so, and no other try of the call', async (render, message) => {
    const { plan } = promptsWith({ plan: { version: 'mine-1', render } })
    const error = await errorOf(() => plan.render(input))
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', retry: 'never' })
    expect(error.message).toContain(message)
  })
})

function fail(message: string): never {
  throw new Error(message)
}
