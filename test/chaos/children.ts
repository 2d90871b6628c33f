import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Armed, Job, Told } from './child-main.ts'

/* Processes to kill: started ahead of time, so that a death hits the session and not the loading of modules. */

export type LogKind = 'file' | 'kafka'

const program = fileURLToPath(new URL('./child-main.ts', import.meta.url))
const MAX_STDERR_CHARS = 4_000

export interface Death {
  readonly pid: number
  readonly killed: boolean
  /** The named point it died at, if it was one. */
  readonly point?: string
  /** Why it ended by itself, if it did so unasked. */
  readonly complaint: string
}

export class Child {
  readonly pid: number
  /** Resolves when the process is gone and everything it said has been heard. */
  readonly gone: Promise<Death>
  readonly #process: ChildProcess
  readonly #heard = new Map<Told['tell'], Told>()
  readonly #waiting = new Map<Told['tell'], () => void>()
  #stderr = ''

  constructor(kind: LogKind) {
    const cache = { NODE_COMPILE_CACHE: join(tmpdir(), 'duolog-chaos-compile-cache') }
    this.#process = spawn(process.execPath, [program, kind], {
      env: { ...process.env, ...cache, NODE_NO_WARNINGS: '1' },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.pid = this.#process.pid ?? -1
    this.#process.stdin?.on('error', () => {}) // written to after its death: no matter
    this.#process.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-MAX_STDERR_CHARS)
    })
    createInterface({ input: this.#process.stdout! }).on('line', (line) => this.#hear(line))
    this.gone = once(this.#process, 'close').then(([, signal]) => this.#death(signal as NodeJS.Signals | null))
  }

  do(job: Job): void {
    this.#process.stdin?.write(`${JSON.stringify({ job })}\n`)
  }

  arm(arm: Armed): void {
    this.#process.stdin?.write(`${JSON.stringify({ arm })}\n`)
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  /** Lets it close in good order. */
  finish(): void {
    this.#process.stdin?.end()
  }

  /** Resolves with what it told under this name, once it did; with nothing when it is gone without. */
  async told<T extends Told['tell']>(tell: T): Promise<Extract<Told, { tell: T }> | undefined> {
    if (!this.#heard.has(tell)) {
      const heard = new Promise<void>((resolve) => this.#waiting.set(tell, resolve))
      await Promise.race([heard, this.gone])
    }
    return this.#heard.get(tell) as Extract<Told, { tell: T }> | undefined
  }

  #hear(line: string): void {
    const told = JSON.parse(line) as Told
    this.#heard.set(told.tell, told)
    this.#waiting.get(told.tell)?.()
  }

  #death(signal: NodeJS.Signals | null): Death {
    const dying = this.#heard.get('dying')
    const error = this.#heard.get('error')
    return {
      pid: this.pid,
      killed: signal === 'SIGKILL',
      ...(dying?.tell === 'dying' && { point: dying.point }),
      complaint: [error?.tell === 'error' ? error.message : '', this.#stderr].filter(Boolean).join('\n'),
    }
  }
}

export class Pool {
  readonly #kind: LogKind
  readonly #spares: Child[] = []
  readonly #all = new Set<Child>()

  constructor(kind: LogKind, spares: number) {
    this.#kind = kind
    for (let spare = 0; spare < spares; spare++) this.#spares.push(this.#spawn())
  }

  async take(): Promise<Child> {
    this.#spares.push(this.#spawn())
    const child = this.#spares.shift()!
    if (await child.told('warm')) return child
    throw new Error(`A chaos process did not start:\n${(await child.gone).complaint}`)
  }

  async close(): Promise<void> {
    for (const child of this.#all) child.kill()
    await Promise.all([...this.#all].map((child) => child.gone))
  }

  #spawn(): Child {
    const child = new Child(this.#kind)
    this.#all.add(child)
    void child.gone.then(() => this.#all.delete(child))
    return child
  }
}
