import { closeSync, existsSync, fdatasync, openSync, readFileSync, writeSync } from 'node:fs'

/*
 * What a writer was told, kept by itself in a file of its own, so that nothing of it is lost with the process.
 *
 * J1 An append is asked only after its `ask` is on disk: what is found in the log was asked for by somebody.
 * J2 An answer counts from the moment its line is written; a kill between the two leaves a question without answer.
 */

export interface Ask {
  readonly kind: 'ask'
  readonly key: string
  readonly stream: string
  /** How many events the append has. */
  readonly events: number
  /** The version it was said to follow, if one was. */
  readonly expected?: number
  /** It cannot be right, and has to be refused. */
  readonly impossible?: true
  /** It carries a message to the task topic. */
  readonly message?: true
  readonly atMs: number
}

export type Answer =
  | { readonly kind: 'ack'; readonly key: string; readonly version: number; readonly atMs: number }
  /** Told for certain that nothing was written. */
  | { readonly kind: 'refused'; readonly key: string; readonly code: string; readonly atMs: number }
  /** Anything else, which no caller should ever hear (P4). */
  | { readonly kind: 'unclear'; readonly key: string; readonly what: string; readonly atMs: number }

export type Line = Ask | Answer

export class Journal {
  readonly #fd: number
  #waiting: (() => void)[] = []
  #syncing = false

  constructor(file: string) {
    this.#fd = openSync(file, 'a')
  }

  /** Resolves when the lines are on disk; one sync for all that wait. They are written before this returns. */
  write(...lines: readonly Line[]): Promise<void> {
    writeSync(this.#fd, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      if (!this.#syncing) this.#sync()
    })
  }

  close(): void {
    closeSync(this.#fd)
  }

  #sync(): void {
    const covered = this.#waiting
    this.#waiting = []
    this.#syncing = true
    fdatasync(this.#fd, (error) => {
      if (error) throw error
      this.#syncing = false
      for (const done of covered) done()
      if (this.#waiting.length > 0) this.#sync()
    })
  }
}

/** A last line that the kill cut off counts as not written. */
export function readJournal(file: string): readonly Line[] {
  if (!existsSync(file)) return []
  const text = readFileSync(file, 'utf8')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

/** The asks of a journal that got no certain answer. */
export function unansweredOf(lines: readonly Line[]): readonly Ask[] {
  const open = new Map<string, Ask>()
  for (const line of lines) {
    if (line.kind === 'ask') open.set(line.key, line)
    else if (line.kind !== 'unclear') open.delete(line.key)
  }
  return [...open.values()]
}
