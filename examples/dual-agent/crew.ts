import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Role } from './agent-process.ts'
import type { ExecutorName } from './executor.ts'

const PROGRAM = fileURLToPath(new URL('./agent-process.ts', import.meta.url))
const STOP_GRACE_MS = 5_000

export interface CrewOptions {
  readonly log: string
  readonly sessionId: string
  readonly executor: ExecutorName
  /** A process ended that was not asked to. */
  readonly onLost: (problem: string) => void
  /** What a process writes to its stderr. */
  readonly onNoise: (line: string) => void
}

/** The processes of the system as children of this one: to start, to kill, and never to leave behind. */
export class Crew {
  readonly #options: CrewOptions
  readonly #members = new Map<Role, ChildProcess>()

  constructor(options: CrewOptions) {
    this.#options = options
  }

  /** Resolves with its pid once it serves. */
  async start(role: Role): Promise<number> {
    const { executor, log, sessionId } = this.#options
    const child = fork(PROGRAM, ['--executor', executor, role, log, sessionId], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#members.set(role, child)
    const ended = (how: unknown) => this.#ended(role, child, how)
    child.once('exit', (code, signal) => ended(signal ?? code)).once('error', ended)
    createInterface({ input: child.stderr! }).on('line', (line) => this.#options.onNoise(`${role}: ${line}`))
    await new Promise((resolve) => child.once('message', resolve).once('exit', resolve).once('error', resolve))
    return child.pid ?? 0
  }

  /** As a power cut would: no signal handler runs, nothing is said to anybody. Resolves with the pid it had. */
  async killHard(role: Role): Promise<number> {
    const child = this.#members.get(role)!
    this.#members.delete(role)
    child.kill('SIGKILL')
    if (isAlive(child)) await once(child, 'exit')
    return child.pid!
  }

  /** Asks everybody to finish in order; who does not is killed. */
  async stop(): Promise<void> {
    const children = [...this.#members.values()]
    this.#members.clear()
    await Promise.all(children.map(stopChild))
  }

  #ended(role: Role, child: ChildProcess, how: unknown): void {
    if (this.#members.get(role) !== child) return
    this.#members.delete(role)
    this.#options.onLost(`The ${role} (pid ${child.pid}) ended by itself: ${how}`)
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (!isAlive(child)) return
  const tooLate = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS)
  child.kill('SIGTERM')
  await once(child, 'exit')
  clearTimeout(tooLate)
}

function isAlive(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null
}
