import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import ts from 'typescript'

/*
 * Prose that a machine reads stays true. A fenced block of Markdown is checked by its first word and its marks:
 *
 *   ```ts             compiles against the built package, strictly
 *   ```ts continued   compiles together with the blocks before it, back to the last one without the mark
 *   ```ts run         also runs, and prints what its `// → …` comments say; one that logs must have them
 *   ```bash           parses; every `npm run` and `duolog` command in it exists
 */

export interface Snippet {
  /** `README.md:12`, the line of the opening fence. */
  readonly where: string
  readonly language: string
  readonly marks: readonly string[]
  readonly text: string
}

export const repository = resolve(import.meta.dirname, '../..')

const fenced = /^( *)```(\w+)([^\n]*)\n([\s\S]*?)^\1```\s*$/gm

export function extractSnippets(file: string, markdown: string): Snippet[] {
  return Array.from(markdown.matchAll(fenced), (match) => {
    const [, indent = '', language = '', marks = '', body = ''] = match
    const line = markdown.slice(0, match.index).split('\n').length
    const text = body.replaceAll(new RegExp(`^${indent}`, 'gm'), '')
    return { where: `${file}:${line}`, language, marks: marks.trim().split(/\s+/).filter(Boolean), text }
  })
}

/** Puts `continued` blocks behind what they continue, within one file. */
export function joinContinued(snippets: readonly Snippet[]): Snippet[] {
  let chain = ''
  return snippets.map((snippet) => {
    chain = snippet.marks.includes('continued') ? chain + snippet.text : snippet.text
    return { ...snippet, text: chain }
  })
}

export function readSnippets(file: string): Snippet[] {
  return extractSnippets(file, readFileSync(join(repository, file), 'utf8'))
}

export interface Workspace {
  readonly folder: string
  fileOf(snippet: Snippet): string
  remove(): void
}

/** A folder in which `import 'duolog'` finds the build, as a user's project would. */
export function makeWorkspace(snippets: readonly Snippet[]): Workspace {
  const folder = mkdtempSync(join(tmpdir(), 'duolog-snippets-'))
  link(repository, join(folder, 'node_modules/duolog'))
  for (const name of ['zod', 'vitest', '@types/node']) {
    link(join(repository, 'node_modules', name), join(folder, 'node_modules', name))
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const fileOf = (snippet: Snippet) => join(folder, `${snippet.where.replaceAll(/[^A-Za-z0-9]+/g, '-')}.ts`)
  for (const snippet of snippets) writeFileSync(fileOf(snippet), snippet.text)
  return { folder, fileOf, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(target, path, 'junction')
}

/** Compiles all snippets in one program; returns the errors of each, by file. */
export function compileSnippets(workspace: Workspace, snippets: readonly Snippet[]): Map<string, string[]> {
  const files = snippets.map(workspace.fileOf)
  const program = ts.createProgram(files, {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    moduleDetection: ts.ModuleDetectionKind.Force,
    typeRoots: [join(workspace.folder, 'node_modules/@types')],
    types: ['node'],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    erasableSyntaxOnly: true,
    allowImportingTsExtensions: true,
  })
  const errors = new Map<string, string[]>(files.map((file) => [file, []]))
  for (const diagnostic of ts.getPreEmitDiagnostics(program)) {
    const { file, start = 0 } = diagnostic
    const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')
    if (file === undefined) throw new Error(text)
    const line = file.getLineAndCharacterOfPosition(start).line + 1
    const list = errors.get(file.fileName) ?? []
    errors.set(file.fileName, [...list, `line ${line} of the block: ${text}`])
  }
  return errors
}

export interface Run {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program in a folder of its own. */
export function runIn(folder: string, command: string, args: readonly string[]): Run {
  const path = `${join(repository, 'node_modules/.bin')}:${process.env.PATH}`
  const { status, stdout, stderr } = spawnSync(command, [...args], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, PATH: path, NO_COLOR: '1' },
  })
  return { status, stdout, stderr }
}

/** It prints something: what it prints has to be promised, or nobody compares it. */
export function logs(text: string): boolean {
  return /\bconsole\.(?:log|info|table)\(|process\.stdout\.write\(/.test(text)
}

/** What the `// → …` comments of a block promise, in order. */
export function promisedOutput(text: string): string[] {
  return Array.from(text.matchAll(/\/\/ → (.*)$/gm), ([, line = '']) => line.trim())
}

/** The `npm run NAME` and `duolog COMMAND` calls of a shell block. */
export function calls(text: string): { readonly scripts: string[]; readonly commands: string[][] } {
  const lines = text.replaceAll('\\\n', ' ').split('\n')
  const commands = lines.flatMap((line) => {
    const match = /^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:npx (?:--no-install )?)?duolog (.+?)(?:\s*[|#>].*)?$/.exec(line)
    return match?.[1] === undefined ? [] : [match[1].match(/"[^"]*"|'[^']*'|\S+/g) ?? []]
  })
  return { scripts: Array.from(text.matchAll(/\bnpm run ([\w:-]+)/g), ([, name = '']) => name), commands }
}
