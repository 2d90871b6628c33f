import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  calls,
  compileSnippets,
  extractSnippets,
  joinContinued,
  logs,
  makeWorkspace,
  promisedOutput,
  readSnippets,
  repository,
  runIn,
  type Snippet,
  type Workspace,
} from './snippets.ts'

const files = globSync(['README.md', 'docs/*.md', 'docs/{guides,internals,decisions}/*.md', 'examples/*/README.md'], {
  cwd: repository,
}).sort()
const byFile = files.map(readSnippets)
const typescript = byFile.flatMap((snippets) => joinContinued(snippets.filter(({ language }) => language === 'ts')))
const shell = byFile.flat().filter(({ language }) => ['bash', 'sh', 'shell'].includes(language))
const has = (mark: string) => (snippet: Snippet) => snippet.marks.includes(mark)
const named = (snippets: readonly Snippet[]) => snippets.map((snippet) => [snippet.where, snippet] as const)

let workspace: Workspace
beforeAll(() => {
  if (!existsSync(join(repository, 'dist/index.d.ts'))) throw new Error('No build in dist/: run `npm run build` first.')
  workspace = makeWorkspace(typescript)
})
afterAll(() => workspace.remove())

describe('TypeScript in the documentation', () => {
  let errors: Map<string, string[]>
  beforeAll(() => {
    errors = compileSnippets(workspace, typescript)
  })

  it.each(named(typescript))('%s compiles', (_where, snippet) => {
    expect(errors.get(workspace.fileOf(snippet))).toEqual([])
  })

  it.each(named(typescript.filter(has('run'))))('%s runs', (_where, snippet) => {
    const { status, stdout, stderr } = runIn(workspace.folder, process.execPath, [workspace.fileOf(snippet)])
    expect(status, stderr).toBe(0)
    const promised = promisedOutput(snippet.text)
    if (logs(snippet.text)) expect(promised, 'it logs, but says by no `// → …` what').not.toEqual([])
    if (promised.length > 0) expect(stdout.trimEnd().split('\n')).toEqual(promised)
  })
})

describe('commands in the documentation', () => {
  const { scripts } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))

  it.each(named(shell))('%s parses and names what exists', (_where, snippet) => {
    expect(runIn(workspace.folder, 'bash', ['-n', '-c', snippet.text]).stderr).toBe('')
    const called = calls(snippet.text)
    expect(called.scripts.filter((name) => !(name in scripts))).toEqual([])
    for (const command of called.commands) expect(unknownParts(command)).toEqual([])
  })
})

const help = new Map<string, string>()

function helpOf(command: string): string {
  const known = help.get(command)
  if (known !== undefined) return known
  const args = command.startsWith('-') ? ['--help'] : [...command.split(' '), '--help']
  const { status, stdout } = runIn(workspace.folder, process.execPath, [join(repository, 'dist/cli.js'), ...args])
  const text = status === 0 ? stdout : ''
  help.set(command, text)
  return text
}

/** The subcommand, where it does not exist, and the options its help does not name. */
function unknownParts([command = '--help', ...rest]: readonly string[]): string[] {
  const text = helpOf(command)
  if (text === '') return [command]
  const nested = rest[0] !== undefined && new RegExp(`^  ${rest[0]}\\b`, 'm').test(text.split('Commands:')[1] ?? '')
  if (nested) return unknownParts([`${command} ${rest[0]}`, ...rest.slice(1)])
  const options = rest.filter((word) => word.startsWith('--')).map((word) => word.replace(/=.*/, ''))
  return options.filter((option) => !text.includes(option))
}

describe('the checks themselves', () => {
  const markdown = [
    'text',
    '```ts run',
    "console.log('a') // → a",
    '```',
    '',
    '```ts continued',
    'const b = 1',
    '```',
  ].join('\n')

  it('finds blocks, their marks and their promises', () => {
    const [first, second] = extractSnippets('a.md', markdown)
    expect(first).toMatchObject({ where: 'a.md:2', language: 'ts', marks: ['run'] })
    expect(promisedOutput(first!.text)).toEqual(['a'])
    expect(joinContinued([first!, second!])[1]?.text).toBe("console.log('a') // → a\nconst b = 1\n")
  })

  it('knows a block that logs, and one that promises nothing', () => {
    expect(logs("console.log('a')\n// a")).toBe(true)
    expect(promisedOutput("console.log('a')\n// a")).toEqual([])
    expect(logs('const consoleLog = 1')).toBe(false)
  })

  it('sees an error of types', () => {
    const wrong = extractSnippets('wrong.md', "```ts\nimport { fold } from 'duolog'\nconst n: number = fold\n```\n")
    const own = makeWorkspace(wrong)
    const [found] = compileSnippets(own, wrong).values()
    own.remove()
    expect(found).toHaveLength(1)
    expect(found?.[0]).toMatch(/^line 2 of the block: .*not assignable to type 'number'/)
  })

  it('finds the calls of a shell block', () => {
    const text = 'npm run demo -- --x\nnpx duolog show s1 --json | jq .\nFOO=1 duolog run "a --b" \\\n  --log memory:\n'
    expect(calls(text)).toEqual({
      scripts: ['demo'],
      commands: [
        ['show', 's1', '--json'],
        ['run', '"a --b"', '--log', 'memory:'],
      ],
    })
  })
})
