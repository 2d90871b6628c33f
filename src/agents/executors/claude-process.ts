/*
 * Claude's process of one call, with everything it starts. Its shell tools lead sessions of their own, so besides the
 * process group the mark in their environment finds them, and their parents (Linux). P8: when the call is over, nobody is left.
 */
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { DuologError } from '../../core/errors.ts'
import { reach } from '../../core/reach.ts'
import type { AgentRequest } from '../executor.ts'
import { TextCapture } from './captured-text.ts'
import type { SpawnedProcess, SpawnOptions } from './claude-sdk.ts'
import { watchGroup } from './process-group.ts'
import { endRun, killStaleRuns, MARK_VARIABLE, markFor } from './process-marks.ts'
import { runIdentityOf } from './run-identity.ts'

const KEPT_STDERR_CHARS = 4_000

export class ClaudeProcess {
  readonly #runId: string
  readonly #mark: string
  readonly #graceMs: number
  readonly #stderr = new TextCapture(KEPT_STDERR_CHARS)
  #child: ChildProcess | undefined
  #release: () => void = () => undefined
  #ending: Promise<void> | undefined

  /** Ends what earlier runs of the same call left at work first. @throws WORKDIR_INVALID */
  static async prepare(request: AgentRequest, graceMs: number): Promise<ClaudeProcess> {
    const folder = await stat(request.workDir).catch(() => undefined)
    if (!folder?.isDirectory()) throw noFolder(request.workDir)
    const identity = await runIdentityOf(request)
    await killStaleRuns(identity)
    const runId = randomUUID()
    return new ClaudeProcess(runId, await markFor(runId, identity), graceMs)
  }

  constructor(runId: string, mark: string, graceMs: number) {
    this.#runId = runId
    this.#mark = mark
    this.#graceMs = graceMs
  }

  get started(): boolean {
    return this.#child?.pid !== undefined
  }

  /** For the SDK's `spawnClaudeCodeProcess`. */
  spawn({ command, args, cwd, env }: SpawnOptions): SpawnedProcess {
    const child: ChildProcessWithoutNullStreams = spawn(command, args, {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...env, [MARK_VARIABLE]: this.#mark },
      detached: process.platform !== 'win32',
      stdio: 'pipe',
      windowsHide: true,
    })
    child.stderr.on('data', (chunk: Buffer) => this.#stderr.add(chunk))
    child.stdin.on('error', () => undefined)
    child.on('error', () => undefined)
    this.#child = child
    if (child.pid !== undefined) this.#release = watchGroup(child.pid)
    reach('executor.claude.started')
    // Stopped between our look at the signal and this start.
    if (this.#ending !== undefined) this.#ending = this.#endTree()
    return child
  }

  /** Ends the whole tree. Resolves when it is gone. */
  end(): Promise<void> {
    this.#ending ??= this.#endTree()
    return this.#ending
  }

  async #endTree(): Promise<void> {
    if (this.#child?.pid === undefined) return
    await endRun({ groupId: this.#child.pid, runId: this.#runId, graceMs: this.#graceMs })
    this.#release()
    reach('executor.claude.ended')
  }

  /** What it said last, apart from its messages. */
  get stderr(): string {
    return this.#stderr.end().text.trim()
  }

  /** How it ended and what it said last, for an error. */
  describe(): string {
    const { exitCode = null, signalCode = null } = this.#child ?? {}
    const how = signalCode === null ? `ended with exit code ${exitCode}` : `was killed by ${signalCode}`
    return this.stderr === '' ? how : `${how}. It printed:\n${this.stderr}`
  }
}

function noFolder(workDir: string): DuologError {
  const advice = 'Create the work directory or name another one.'
  return new DuologError('WORKDIR_INVALID', `The call could not begin: there is no folder ${workDir}. ${advice}`)
}
