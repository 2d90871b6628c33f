import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Line, readJournal } from './journal.ts'
import type { WriterTask } from './writer-task.ts'

/* The writers' processes: started, killed and started again, frozen and thawed. */

const program = fileURLToPath(new URL('./writer-main.ts', import.meta.url))
const MAX_STDERR_CHARS = 4000

export type WriterPlan = Omit<WriterTask, 'life' | 'journal' | 'predecessor'> & { readonly folder: string }

export interface Span {
  readonly fromMs: number
  readonly toMs: number
}

export class WriterProcess {
  readonly #plan: WriterPlan
  readonly #freezes: Span[] = []
  /** Deaths nobody asked for. */
  readonly complaints: string[] = []
  #child: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()
  #life = 0
  #frozenAt: number | undefined
  #expected = false

  constructor(plan: WriterPlan) {
    this.#plan = plan
  }

  get name(): string {
    return this.#plan.name
  }

  get frozen(): boolean {
    return this.#frozenAt !== undefined
  }

  get freezes(): readonly Span[] {
    return this.#freezes
  }

  get lives(): number {
    return this.#life
  }

  /** Resolves with its first word: it has opened the log. */
  start(): Promise<void> {
    const { folder, ...plan } = this.#plan
    const predecessor = this.#lastWritten()
    const former = predecessor === undefined ? {} : { predecessor }
    this.#life++
    const task: WriterTask = { ...plan, ...former, life: this.#life, journal: this.#file(this.#life) }
    const child = spawn(process.execPath, [program, JSON.stringify(task)], {
      stdio: ['pipe', 'pipe', 'pipe'], // the end of its stdin, our death too, ends it
      env: { ...process.env, NODE_COMPILE_CACHE: join(folder, 'compile-cache'), NODE_NO_WARNINGS: '1' },
    })
    this.#child = child
    this.#expected = false
    this.#ended = this.#watch(child)
    return Promise.race([once(child.stdout, 'data').then(() => {}), this.#ended])
  }

  async kill(): Promise<void> {
    this.#expected = true
    this.#child?.kill('SIGKILL')
    await this.#ended
  }

  freeze(): void {
    this.#child?.kill('SIGSTOP')
    this.#frozenAt = Date.now()
  }

  thaw(): void {
    this.#child?.kill('SIGCONT')
    if (this.#frozenAt !== undefined) this.#freezes.push({ fromMs: this.#frozenAt, toMs: Date.now() })
    this.#frozenAt = undefined
  }

  /** Asks it to answer what is open and end. False: it did not in time, and was killed. */
  async finish(withinMs: number): Promise<boolean> {
    this.#expected = true
    this.#child?.kill('SIGTERM')
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), withinMs)
    await this.#ended
    clearTimeout(timer)
    return this.#child?.exitCode === 0
  }

  /** Of all its lives, in a row. */
  readJournals(): readonly Line[] {
    return Array.from({ length: this.#life }, (_, index) => readJournal(this.#file(index + 1))).flat()
  }

  /** A life's first lines take over what is open; one that was killed before took over nothing. */
  #lastWritten(): string | undefined {
    const files = Array.from({ length: this.#life }, (_, index) => this.#file(index + 1))
    return files.findLast((file) => readJournal(file).length > 0)
  }

  #file(life: number): string {
    return join(this.#plan.folder, `${this.#plan.name}-${life}.jsonl`)
  }

  async #watch(child: ChildProcess): Promise<void> {
    let said = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-MAX_STDERR_CHARS)
    })
    child.stdout?.resume()
    const [code, signal] = await once(child, 'close')
    if (code !== 0 && !this.#expected) this.complaints.push(`${this.name} ended with ${code ?? signal}: ${said}`)
  }
}
