import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadExecutorModule } from '../../../src/agents/executors/executor-module.ts'
import { contextOf, errorOf, requestIn, tempFolder } from './support.ts'

function moduleFile(name: string, source: string): string {
  const path = join(tempFolder(), name)
  writeFileSync(path, source)
  return path
}

describe('loadExecutorModule', () => {
  it.each([
    ['an executor', 'a.mjs', 'export default { async execute() { return { output: "hello" } } }'],
    ['a function', 'a.mjs', 'export default () => ({ execute: async () => ({ output: "hello" }) })'],
    ['an async function', 'a.mjs', 'export default async () => ({ execute: async () => ({ output: "hello" }) })'],
    ['a class', 'a.mjs', 'export default class { async execute() { return { output: "hello" } } }'],
    ['CommonJS', 'a.cjs', 'module.exports = { execute: async () => ({ output: "hello" }) }'],
    [
      'CommonJS compiled from ESM',
      'a.cjs',
      'exports.__esModule = true; exports.default = { execute: async () => ({ output: "hello" }) }',
    ],
    ['TypeScript', 'a.ts', 'const output: string = "hello"\nexport default { execute: async () => ({ output }) }'],
  ])('loads %s', async (_, name, source) => {
    const executor = await loadExecutorModule(moduleFile(name, source))
    expect(await executor.execute(requestIn('/'), contextOf())).toEqual({ output: 'hello' })
  })

  it.each([
    ['throws while it is loaded', 'throw new Error("no licence")', 'fails while it is loaded: no licence'],
    ['does not parse', 'export default {', 'fails while it is loaded'],
    ['imports what is not there', 'import "./missing.mjs"', 'fails while it is loaded'],
    ['has no default export', 'export const executor = {}', 'has no default export'],
    ['exports something else', 'export default 42', 'gives a number, not an AgentExecutor'],
    ['exports an object without execute', 'export default { run() {} }', 'gives a object, not an AgentExecutor'],
    [
      'exports a function that throws',
      'export default () => { throw new Error("no key") }',
      'the function it exports fails: no key',
    ],
    ['exports a function that gives nothing', 'export default () => undefined', 'gives undefined'],
  ])('refuses a module that %s', async (_, source, message) => {
    const path = moduleFile('bad.mjs', source)
    const error = await errorOf(() => loadExecutorModule(path))
    expect(error.code).toBe('EXECUTOR_INVALID')
    expect(error.message).toContain(path)
    expect(error.message).toContain(message)
    if (message.includes('fails')) expect(error.cause).toBeInstanceOf(Error)
  })

  it('refuses a file that is missing, a folder, and a module that never finishes loading', async () => {
    const folder = tempFolder()
    expect((await errorOf(() => loadExecutorModule(join(folder, 'none.mjs')))).message).toContain(
      'there is no such file',
    )
    expect((await errorOf(() => loadExecutorModule(folder))).message).toContain('it is not a file')
    const endless = moduleFile('endless.mjs', 'export default () => new Promise(() => {})')
    const error = await errorOf(() => loadExecutorModule(endless, { loadTimeoutMs: 10 }))
    expect(error).toMatchObject({
      code: 'EXECUTOR_INVALID',
      message: expect.stringContaining('not loaded after 10 ms'),
    })
  })
})
