import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compile, install, installOldestNode, pack, repository, temporaryFolder, tryRun } from './installed.ts'

/*
 * The package as a stranger gets it: packed, installed from the tarball, compiled with library declarations checked,
 * and run, from CommonJS and from ESM.
 */

const folder = temporaryFolder()
let tarball: string
let oldestNode: string

beforeAll(async () => {
  tarball = await pack(folder.path)
  oldestNode = await installOldestNode(folder.path)
})
afterAll(() => folder.remove())

describe('the tarball', () => {
  it('satisfies publint', async () => {
    const { publint } = await import('publint')
    const { formatMessage } = await import('publint/utils')
    const { messages, pkg } = await publint({ pkgDir: repository, pack: false, strict: true })
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([])
  })

  it('has right types under every resolution, says are-the-types-wrong', async () => {
    const attw = join(repository, 'node_modules/@arethetypeswrong/cli/dist/index.js')
    const { ok, output } = await tryRun(
      process.execPath,
      [attw, tarball, '--no-definitely-typed', '-f', 'ascii'],
      folder.path,
    )
    expect(ok, output).toBe(true)
    expect(output).toContain('No problems found')
  })

  it('holds the build, the licence and the texts, and nothing else', async () => {
    const { output } = await tryRun('tar', ['-tzf', tarball], folder.path)
    const strangers = output
      .trim()
      .split('\n')
      .filter((file) => !/^package\/(dist\/|docs\/|package\.json$|LICENSE$|README\.md$|CHANGELOG\.md$)/.test(file))
    expect(strangers).toEqual([])
    expect(output).toContain('package/LICENSE')
  })

  it('holds every page that the README names', async () => {
    const { output } = await tryRun('tar', ['-tzf', tarball], folder.path)
    const readme = readFileSync(join(repository, 'README.md'), 'utf8')
    const named = [...readme.matchAll(/\]\((docs\/[^)#]+)/g)].map(([, path]) => `package/${path}`)
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((path) => !output.split('\n').includes(path))).toEqual([])
  })

  it('has zod built in, its licence beside it, without the languages of its messages', () => {
    const built = globSync(join(repository, 'dist/*.{js,cjs}')).map((file) => readFileSync(file, 'utf8'))
    const loading = built.filter((code) => /(from|import|require)\s*\(?\s*["'](zod|cockatiel)\b/.test(code))
    expect(loading).toEqual([])
    expect(built.some((code) => code.includes('ZodDiscriminatedUnion'))).toBe(true)
    expect(built.filter((code) => code.includes('locales_exports'))).toEqual([])
    const licences = readFileSync(join(repository, 'dist/BUILT-IN-LICENSES.txt'), 'utf8')
    for (const holder of ['Connor Peet', 'Colin McDonnell']) expect(licences).toContain(holder)
  })
})

describe('a CommonJS project with TypeScript 5.4 and classic resolution', () => {
  let project: string
  beforeAll(async () => {
    project = await install(tarball, folder.path, { fixture: 'cjs', type: 'commonjs', typescript: '5.4.5' })
  })

  it.each([
    { module: 'commonjs', moduleResolution: 'node', outDir: 'classic' },
    { module: 'node16', moduleResolution: 'node16', outDir: 'node16' },
  ])('compiles and runs with moduleResolution $moduleResolution', async (compilation) => {
    const compiled = await compile(project, compilation)
    expect(compiled.ok, compiled.output).toBe(true)
    const ran = await tryRun(process.execPath, [`${compilation.outDir}/main.js`, `${compilation.outDir}.db`], project)
    expect(ran.output.trim().split('\n')).toEqual(['cjs ok'])
    // With a warning that SQLite is experimental there.
    const oldest = await tryRun(oldestNode, [`${compilation.outDir}/main.js`, `${compilation.outDir}.old.db`], project)
    expect(oldest, oldest.output).toMatchObject({ ok: true, output: expect.stringContaining('cjs ok') })
  })

  it('loads an ESM executor with the CommonJS build alone, as a bundler or jest would take it', async () => {
    const program = `require('./node_modules/duolog/dist/agents.cjs').loadExecutorModule('./executor.mjs')
      .then((executor) => console.log(typeof executor.execute))`
    writeFileSync(join(project, 'executor.mjs'), 'export default { execute: async () => ({ output: "" }) }')
    const ran = await tryRun(process.execPath, ['-e', program], project)
    expect(ran.output).toBe('function\n')
  })

  it('serves the page from its CommonJS form, too', async () => {
    const program = `const { openEventStore } = require('./node_modules/duolog/dist/index.cjs')
      const { servePage } = require('./node_modules/duolog/dist/monitoring.cjs')
      openEventStore('memory:').then(async (store) => {
        const page = await servePage({ store })
        for (const name of ['', 'page.js', 'page.css']) console.log((await fetch(page.url + name)).status)
        await page.close()
        await store.close()
      })`
    const ran = await tryRun(process.execPath, ['-e', program], project)
    expect(ran.output).toBe('200\n200\n200\n')
  })

  it('needs no Agent SDK until a call is made, and then says what to install', async () => {
    const program = `const { claudeExecutor } = require('./node_modules/duolog/dist/agents.cjs')
      const request = { callId: 'c', sessionId: 's', role: 'worker', purpose: 'work', prompt: 'x', attempt: 1, workDir: '.', timeoutMs: 1 }
      claudeExecutor({ nested: 'allow' }).execute(request, { signal: new AbortController().signal, progress() {} })
        .catch((error) => console.log(error.code, error.message))`
    const ran = await tryRun(process.execPath, ['-e', program], project)
    expect(ran.output).toContain('DEPENDENCY_MISSING')
    expect(ran.output).toContain('npm install @anthropic-ai/claude-agent-sdk')
  })

  it('has the program on its path', async () => {
    const { ok, output } = await tryRun('npx', ['--no-install', 'duolog', '--help'], project)
    expect(ok, output).toBe(true)
    expect(output).toContain('Usage: duolog')
  })
})

describe('an ESM project with the newest TypeScript', () => {
  let project: string
  beforeAll(async () => {
    project = await install(tarball, folder.path, { fixture: 'esm', type: 'module', typescript: '6.0.3' })
  })

  it.each([
    { module: 'node16', moduleResolution: 'node16', outDir: 'node16' },
    { module: 'esnext', moduleResolution: 'bundler', outDir: 'bundler' },
  ])('compiles and runs with moduleResolution $moduleResolution', async (compilation) => {
    const compiled = await compile(project, compilation)
    expect(compiled.ok, compiled.output).toBe(true)
    expect(existsSync(join(project, compilation.outDir, 'main.js'))).toBe(true)
    const ran = await tryRun(process.execPath, [`${compilation.outDir}/main.js`, `${compilation.outDir}.db`], project)
    expect(ran.output.trim().split('\n')).toEqual(['esm ok'])
    // With a warning that SQLite is experimental there.
    const oldest = await tryRun(oldestNode, [`${compilation.outDir}/main.js`, `${compilation.outDir}.old.db`], project)
    expect(oldest, oldest.output).toMatchObject({ ok: true, output: expect.stringContaining('esm ok') })
  })
})
