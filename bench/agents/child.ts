import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/* Processes of contenders, what they print, and what is seen of them from outside. */

/** Takes output as it comes and gives the JSON objects among its lines; whatever else a peer prints is passed over. */
export function jsonLines(give: (line: Readonly<Record<string, unknown>>) => void): (chunk: string) => void {
  let rest = ''
  return (chunk) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const value = line.startsWith('{') ? parsed(line) : undefined
      if (value !== undefined) give(value)
    }
  }
}

function parsed(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

export interface Contender {
  readonly form: string
  /** Folder whose node_modules has it. */
  readonly packages: string
  readonly place: string
}

export interface Line {
  readonly atMs: number
  readonly value: Readonly<Record<string, unknown>>
}

export interface Program {
  readonly child: ChildProcess
  readonly startedAtMs: number
  readonly lines: readonly Line[]
  /** Resolves when the test holds of what was printed; rejects when the process ends before. */
  until(test: () => boolean): Promise<void>
  /** Rejects when it fails. */
  readonly ended: Promise<void>
  kill(): Promise<void>
}

/** Starts the program; with `syncsTo`, its syncs are written there, a line each. */
export function start(contender: Contender, args: readonly string[], syncsTo?: string): Program {
  const { form, packages, place } = contender
  const program = fileURLToPath(new URL('./dist/program.js', import.meta.url))
  const command = [...(syncsTo === undefined ? [] : traced(syncsTo)), process.execPath, program, form, packages, place]
  const [file = '', ...rest] = [...command, ...args]
  const startedAtMs = performance.now()
  const child = spawn(file, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, RESTATE_LOGGING: 'ERROR', LANGSMITH_TRACING: 'false' },
  })
  const lines: Line[] = []
  let errors = ''
  child.stdout.setEncoding('utf8').on(
    'data',
    jsonLines((value) => lines.push({ atMs: performance.now(), value })),
  )
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors = (errors + chunk).slice(-2_000)
  })
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const ended = exited.then((code) => {
    if (code !== 0) throw new Error(`${form} ended with ${code ?? 'a signal'}: ${errors.trim()}`)
  })
  ended.catch(() => {})
  const until = (test: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      const look = () => test() && resolve()
      child.once('error', reject)
      child.stdout.on('data', look)
      child.once('close', () => (test() ? resolve() : reject(new Error(`${form} ended early: ${errors.trim()}`))))
      look()
    })
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
  }
  return { child, startedAtMs, lines, until, ended, kill }
}

/** With -D the program stays the process that was started, and the tracer is beside it. */
export function traced(file: string): readonly string[] {
  return [
    'strace',
    '-D',
    '-f',
    '-qq',
    '-e',
    'trace=fsync,fdatasync,msync,sync_file_range',
    '-e',
    'signal=none',
    '-o',
    file,
  ]
}

/** Syncs that a trace holds: an unfinished call and its end are one. */
export function syncsIn(trace: string): number {
  return trace.split('\n').filter((line) => /\b(fsync|fdatasync)\(/.test(line)).length
}

export function syncsOf(file: string): number {
  return existsSync(file) ? syncsIn(readFileSync(file, 'utf8')) : 0
}

/** Memory of a process and those it began, MB; pages they share are counted once. */
export function memoryOf(pid: number): number {
  const children = ofProcess(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean)
  const own = /^Pss:\s+(\d+)/m.exec(ofProcess(`/proc/${pid}/smaps_rollup`))
  return Number(own?.[1] ?? 0) / 1e3 + children.reduce((sum, child) => sum + memoryOf(Number(child)), 0)
}

/** Empty of a process that has just ended. */
function ofProcess(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
