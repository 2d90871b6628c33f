import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface SessionFileOptions {
  readonly folder: string
  /** Of the session, whatever characters it has. */
  readonly id: string
  /** What is to be in the file now; nothing: no file yet. */
  readonly content: () => object | undefined
  /** The file cannot be written. The session goes on without it. */
  readonly onFailure: (error: unknown) => void
}

/**
 * Writes a session file whole, beside it first and then in its place, so that no reader finds half of one. One write at a
 * time: what changes meanwhile goes into the next.
 */
export class SessionFile {
  readonly #options: SessionFileOptions
  readonly #name: string
  readonly #ready: Promise<void>
  #isDirty = false
  #writing: Promise<void> | undefined

  constructor(options: SessionFileOptions) {
    this.#options = options
    this.#name = `${encodeURIComponent(options.id)}.json`
    this.#ready = this.#prepare().catch(options.onFailure)
  }

  changed(): void {
    this.#isDirty = true
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
  }

  /** Resolves when the file is as the session is. Never rejects. */
  async settled(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
  }

  async #write(): Promise<void> {
    await this.#ready
    while (this.#isDirty) {
      this.#isDirty = false
      const content = this.#options.content()
      if (content !== undefined) await this.#replace(content).catch(this.#options.onFailure)
    }
  }

  async #replace(content: object): Promise<void> {
    const { folder } = this.#options
    const beside = join(folder, `${this.#name}.${process.pid}.tmp`)
    await writeFile(beside, `${JSON.stringify(content, null, 2)}\n`)
    await rename(beside, join(folder, this.#name))
  }

  /** What a killed process left beside the file is taken away. */
  async #prepare(): Promise<void> {
    const { folder } = this.#options
    await mkdir(folder, { recursive: true })
    const left = (await readdir(folder)).filter((name) => name.startsWith(`${this.#name}.`) && name.endsWith('.tmp'))
    for (const name of left) await rm(join(folder, name), { force: true })
  }
}
