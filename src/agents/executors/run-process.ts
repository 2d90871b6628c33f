/*
 * Runs a command to its end, with everything it starts.
 *
 * - No shell ever reads the command, its arguments or its input.
 * - When the run is over, nobody of its process group is left; after a stop, on Linux, nobody of its descendants.
 * - Memory is bounded, whatever the command prints.
 * - When this process is killed (kill -9), a watchdog ends the group; see `watchGroup`. Should that die too, the next run
 *   with the same identity ends what is left before it begins (Linux).
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { constants } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { reach } from '../../core/reach.ts'
import { type CapturedText, TextCapture } from './captured-text.ts'
import { endGroup, KILL_GRACE_MS, watchGroup } from './process-group.ts'
import { endRun, killStaleRuns, MARK_VARIABLE, markFor, type RunIdentity } from './process-marks.ts'

export interface ProcessSpec {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  /** All of the environment. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Default: empty. The input is closed after it. */
  readonly stdin?: string
  /** Stops the run when it fires. */
  readonly signal?: AbortSignal
  /** Stops the run. Default: never. */
  readonly timeoutMs?: number
  /** Between SIGTERM and SIGKILL. Default 400: more, and a cancelled call may be at work for longer than a second. */
  readonly killGraceMs?: number
  /** Of each of stdout and stderr, beginning and end. Default 200,000. */
  readonly maxCaptureChars?: number
  /** Stops the run when it has printed more, stdout and stderr together. Default 256 MiB. */
  readonly maxOutputBytes?: number
  /** Hears stdout as it comes. */
  readonly onStdout?: (chunk: Buffer) => void
  readonly identity?: RunIdentity
}

export type ProcessOutcome = ProcessNotStarted | ProcessEnd

export interface ProcessNotStarted {
  readonly kind: 'not-started'
  readonly problem: 'command-not-found' | 'not-executable' | 'no-folder' | 'other'
  readonly error: Error
}

export interface ProcessEnd {
  readonly kind: 'ended'
  /** Who ended it: itself (or somebody else's signal), or we. */
  readonly by: 'itself' | StopReason
  readonly exitCode: number | null
  readonly exitSignal: NodeJS.Signals | null
  readonly stdout: CapturedText
  readonly stderr: CapturedText
  readonly durationMs: number
}

export type StopReason = 'abort' | 'time-limit' | 'output-limit'

const DEFAULT_CAPTURE_CHARS = 200_000
const DEFAULT_OUTPUT_BYTES = 256 * 1024 * 1024
const MAX_TIMER_MS = 2_147_483_647
/** How long somebody outside the group may hold our end of the pipes open. */
const DRAIN_MS = 500

/** Never rejects: what can go wrong is in the outcome. */
export async function runProcess(spec: ProcessSpec): Promise<ProcessOutcome> {
  if (!(await isFolder(spec.cwd))) return notStarted(new Error(`there is no folder ${spec.cwd}`), 'no-folder')
  if (spec.identity) await killStaleRuns(spec.identity)
  const runId = randomUUID()
  const mark = await markFor(runId, spec.identity)
  const startedAt = performance.now()
  try {
    const child = spawn(spec.command, [...spec.args], {
      cwd: spec.cwd,
      env: { ...spec.env, [MARK_VARIABLE]: mark },
      detached: process.platform !== 'win32',
      stdio: 'pipe',
      windowsHide: true,
    })
    const outcome = await new Run(spec, child, runId).outcome()
    return { ...outcome, durationMs: Math.round(performance.now() - startedAt) }
  } catch (error) {
    return notStarted(error as NodeJS.ErrnoException)
  }
}

class Run {
  readonly #spec: ProcessSpec
  readonly #child: ChildProcessWithoutNullStreams
  readonly #runId: string
  readonly #stdout: TextCapture
  readonly #stderr: TextCapture
  #printedBytes = 0
  #stopped: StopReason | undefined
  #ending: Promise<void> | undefined

  constructor(spec: ProcessSpec, child: ChildProcessWithoutNullStreams, runId: string) {
    this.#spec = spec
    this.#child = child
    this.#runId = runId
    this.#stdout = new TextCapture(spec.maxCaptureChars ?? DEFAULT_CAPTURE_CHARS)
    this.#stderr = new TextCapture(spec.maxCaptureChars ?? DEFAULT_CAPTURE_CHARS)
  }

  /** Rejects when the command could not be started. */
  async outcome(): Promise<Omit<ProcessEnd, 'durationMs'>> {
    const closed = new Promise<void>((resolve) => this.#child.once('close', () => resolve()))
    const exited = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()))
    this.#listen()
    await this.#spawned()
    const release = watchGroup(this.#groupId)
    reach('executor.process.started')
    const disarm = this.#arm()
    this.#child.stdin.end(this.#spec.stdin ?? '')
    await exited
    disarm()
    await (this.#ending ?? endGroup(this.#groupId, this.#graceMs))
    release()
    await Promise.race([closed, delay(DRAIN_MS, undefined, { ref: false })])
    this.#child.stdout.destroy()
    this.#child.stderr.destroy()
    reach('executor.process.ended')
    return this.#end()
  }

  get #groupId(): number {
    return this.#child.pid ?? 0
  }

  get #graceMs(): number {
    return this.#spec.killGraceMs ?? KILL_GRACE_MS
  }

  #listen(): void {
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.#count(chunk)
      this.#stdout.add(chunk)
      this.#spec.onStdout?.(chunk)
    })
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#count(chunk)
      this.#stderr.add(chunk)
    })
    // A command may end without reading its input.
    this.#child.stdin.on('error', () => undefined)
  }

  #spawned(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#child.once('spawn', resolve)
      this.#child.on('error', reject)
    })
  }

  #arm(): () => void {
    const { signal, timeoutMs } = this.#spec
    const onAbort = () => this.#stop('abort')
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => this.#stop('time-limit'), Math.min(timeoutMs, MAX_TIMER_MS))
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) onAbort()
    return () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  #count(chunk: Buffer): void {
    this.#printedBytes += chunk.length
    if (this.#printedBytes > (this.#spec.maxOutputBytes ?? DEFAULT_OUTPUT_BYTES)) this.#stop('output-limit')
  }

  #stop(reason: StopReason): void {
    this.#stopped ??= reason
    this.#ending ??= endRun({ groupId: this.#groupId, runId: this.#runId, graceMs: this.#graceMs })
  }

  #end(): Omit<ProcessEnd, 'durationMs'> {
    return {
      kind: 'ended',
      by: this.#stopped ?? 'itself',
      exitCode: this.#child.exitCode,
      exitSignal: this.#child.signalCode,
      stdout: this.#stdout.end(),
      stderr: this.#stderr.end(),
    }
  }
}

function notStarted(
  error: NodeJS.ErrnoException,
  problem: ProcessNotStarted['problem'] = problemOf(error),
): ProcessNotStarted {
  return { kind: 'not-started', problem, error }
}

function problemOf({ code }: NodeJS.ErrnoException): ProcessNotStarted['problem'] {
  if (code === 'ENOENT') return 'command-not-found'
  return code === 'EACCES' ? 'not-executable' : 'other'
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

/** What a person needs to know of a command that did not start. */
export function describeNotStarted({ problem, error }: ProcessNotStarted, command: string): string {
  switch (problem) {
    case 'command-not-found':
      return `the command "${command}" was not found: install it, correct its name, or give its full path (a script may also name an interpreter that is missing)`
    case 'not-executable':
      return `"${command}" may not be executed: make it executable (chmod +x), or start it through its interpreter`
    case 'no-folder':
      return `${error.message}: create the work directory or name another one`
    default:
      return `"${command}" could not be started: ${error.message}`
  }
}

/** How a run ended, e.g. `exit code 137 (killed by SIGKILL, often for want of memory)`. */
export function describeEnd({ exitCode, exitSignal }: ProcessEnd): string {
  if (exitSignal) return `was killed by ${exitSignal}${exitSignal === 'SIGKILL' ? ', often for want of memory' : ''}`
  const signal = exitCode !== null && exitCode > 128 ? signalName(exitCode - 128) : undefined
  if (signal === 'SIGKILL') return `ended with exit code ${exitCode} (killed by SIGKILL, often for want of memory)`
  return `ended with exit code ${exitCode}${signal ? ` (killed by ${signal})` : ''}`
}

function signalName(number: number): string | undefined {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0]
}
