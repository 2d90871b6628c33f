/*
 * Git, asked about a folder whose configuration may be anybody's. It obeys the repository's own settings: hooks and the file
 * system monitor are switched off here, submodules are not looked into, and where the repository defines filters (programs
 * that even `git status` runs) it must not be asked about the contents of files at all: see `definesFilters`.
 */
import { spawn } from 'node:child_process'
import { StringDecoder } from 'node:string_decoder'
import { TextCapture } from './executors/captured-text.ts'

const TIMEOUT_MS = 30_000
const SAFE = ['core.fsmonitor=false', 'core.hooksPath=/dev/null', 'core.quotePath=off', 'diff.ignoreSubmodules=dirty']

export interface GitCall {
  readonly cwd: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** What git prints, shortened in its middle; undefined when it refuses, or is not there. */
export async function git(call: GitCall, maxChars: number): Promise<string | undefined> {
  const capture = new TextCapture(maxChars)
  return (await run(call, (chunk) => capture.add(chunk))) ? capture.end().text : undefined
}

export interface Names {
  readonly first: readonly string[]
  readonly count: number
}

/** The names git prints, each ended by NUL: the first `max` of them, and how many there are; undefined as for `git`. */
export async function gitNames(call: GitCall, max: number): Promise<Names | undefined> {
  const decoder = new StringDecoder('utf8')
  const first: string[] = []
  let count = 0
  let rest = ''
  const ok = await run(call, (chunk) => {
    const names = `${rest}${decoder.write(chunk)}`.split('\0')
    rest = names.pop() ?? ''
    count += names.length
    first.push(...names.slice(0, max - first.length))
  })
  return ok ? { first, count } : undefined
}

/** Whether the repository itself, not its user, names programs that git runs over contents. Files it includes count. */
export async function definesFilters(cwd: string): Promise<boolean> {
  const wanted = ['--get-regexp', '^filter\\..*\\.(clean|process)$']
  for (const scope of ['--local', '--worktree']) {
    const found = await git({ cwd, args: ['config', scope, '--includes', ...wanted] }, 1_000)
    if (found !== undefined) return true
  }
  return false
}

function run({ cwd, args, env = {} }: GitCall, onStdout: (chunk: Buffer) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn('git', [...SAFE.flatMap((setting) => ['-c', setting]), ...args], {
      cwd,
      env: { ...process.env, GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0', ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
      windowsHide: true,
    })
    // Not spawn's own time-out: where the folder does not exist that one stays, and the program with it.
    const late = setTimeout(() => child.kill(), TIMEOUT_MS)
    const end = (isDone: boolean) => {
      clearTimeout(late)
      resolve(isDone)
    }
    child.stdout.on('data', onStdout)
    child.on('error', () => end(false))
    child.on('close', (code) => end(code === 0))
  })
}
