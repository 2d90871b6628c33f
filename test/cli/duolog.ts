import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import type { SessionView } from '../../src/agents/session/view.ts'

/*
 * The real command in a real process, in a folder of its own.
 */

export const main = resolve(import.meta.dirname, '../../src/cli/main.ts')

/** Starting is most of what these tests take: what one process has compiled the next one reads. */
const everyProcess = {
  NODE_COMPILE_CACHE: resolve(import.meta.dirname, '../../node_modules/.cache/duolog-cli'),
  TERM: 'xterm-256color',
}

export interface Ended {
  /** The exit code; of a killed process the signal's name. */
  readonly code: number | string
  readonly stdout: string
  readonly stderr: string
}

export interface Started {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** Resolves when stderr holds the text; rejects when the process ends before. */
  saysOnStderr(text: string): Promise<void>
}

export interface Folder {
  readonly path: string
  file(name: string): string
  /** Writes a file and returns its name. */
  write(name: string, content: string | object): string
  start(args: readonly string[], env?: Record<string, string>): Started
  run(args: readonly string[], env?: Record<string, string>): Promise<Ended>
  /** Pastes a command line into a shell that knows `duolog`. */
  paste(line: string): Promise<Ended>
  /** The same on a pseudo-terminal; what the terminal gets is on stdout. */
  terminal(line: string): Started
  /** The one JSON value that the command prints; for tests of what succeeds. */
  json<T = SessionView>(args: readonly string[]): Promise<T>
  /** Who was really asked, in the order of asking. */
  executions(): string[]
  remove(): void
}

export function newFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'duolog-cli-'))
  const file = (name: string) => join(path, name)
  const bin = join(path, '.bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'duolog'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, { mode: 0o755 })
  const shellEnv = { PATH: `${bin}:${process.env.PATH}` }
  const start: Folder['start'] = (args, env = {}) => startProcess(process.execPath, [main, ...args], path, env)
  const run: Folder['run'] = (args, env) => start(args, env).ended
  const json = async <T>(args: readonly string[]): Promise<T> => {
    const { stdout, stderr } = await run([...args, '--json'])
    if (!/^[[{]/.test(stdout)) throw new Error(`no JSON on stdout: ${stdout}\n${stderr}`)
    return JSON.parse(stdout) as T
  }
  return {
    path,
    file,
    write: (name, content) => {
      writeFileSync(file(name), typeof content === 'string' ? content : JSON.stringify(content))
      return name
    },
    start,
    run,
    paste: (line) => startProcess('sh', ['-c', line], path, shellEnv).ended,
    terminal: (line) => startProcess('script', ['-qec', line, '/dev/null'], path, shellEnv),
    json,
    executions: () => journal(file('journal.jsonl')),
    remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }),
  }
}

function startProcess(program: string, args: readonly string[], cwd: string, env: Record<string, string>): Started {
  // CI among them: Node then takes a terminal for one without colours.
  const { NO_COLOR: _, FORCE_COLOR: __, DUOLOG_LOG: ___, CI: ____, ...inherited } = process.env
  const child = spawn(program, args, {
    cwd,
    env: { ...inherited, ...everyProcess, DUOLOG_EXECUTOR_JOURNAL: join(cwd, 'journal.jsonl'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const text = { stdout: '', stderr: '' }
  child.stdout?.on('data', (chunk) => (text.stdout += chunk))
  child.stderr?.on('data', (chunk) => (text.stderr += chunk))
  const ended = new Promise<Ended>((done, fail) => {
    child.once('error', fail)
    child.once('close', (code, signal) => done({ code: code ?? signal ?? '', ...text }))
  })
  return { child, ended, saysOnStderr: (wanted) => appears(child, () => text.stderr, wanted) }
}

function appears(child: ChildProcess, stderr: () => string, wanted: string): Promise<void> {
  return new Promise((done, fail) => {
    const look = () => stderr().includes(wanted) && done()
    child.stderr?.on('data', look)
    child.once('close', () => fail(new Error(`ended without saying "${wanted}":\n${stderr()}`)))
    look()
  })
}

function journal(path: string): string[] {
  if (!existsSync(path)) return []
  // What is not yet a whole line is still being written.
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  const entries = lines.map((line) => JSON.parse(line) as { phase: string; purpose: string; workItemId?: string })
  return entries
    .filter(({ phase }) => phase === 'start')
    .map(({ purpose, workItemId }) => [purpose, workItemId].filter(Boolean).join(' '))
}

const workItem = (id: string, dependencies: string[]) => ({
  id,
  title: `Make ${id}`,
  description: `${id} has to be made`,
  acceptanceCriteria: [`${id}.txt is there`],
  priority: 1,
  dependencies,
})

/** Two items, the second after the first; `secondMs` holds the second one's work up. */
export function script({ secondMs = 0, files = true } = {}) {
  const attempt = (id: string) => ({ costUsd: 0.01, ...(files && { files: { [`${id}.txt`]: { text: id } } }) })
  return {
    defaults: { plan: { costUsd: 0.02 }, review: { costUsd: 0.005 } },
    plans: [{ strategy: 'one after the other', workItems: [workItem('first', []), workItem('second', ['first'])] }],
    items: {
      first: { attempts: [attempt('first')] },
      second: { attempts: [{ ...attempt('second'), delayMs: secondMs }] },
    },
  }
}

/** The indented command that a message offers. */
export function offered(text: string, verb: string): string {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`  duolog ${verb}`))
  if (line === undefined) throw new Error(`offers no "duolog ${verb}":\n${text}`)
  return line.trim()
}

/** What a terminal would show in the end, without colours. */
export function plain(text: string): string {
  return stripVTControlCharacters(text).replaceAll('\r', '')
}
