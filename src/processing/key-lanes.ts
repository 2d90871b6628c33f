import { WakeUps } from '../store/wake-ups.ts'

/** Tasks of one key one after the other, of different keys side by side. */
export class KeyLanes {
  readonly #tails = new Map<string, Promise<void>>()
  readonly #counts = new Map<string, number>()

  /** Tasks of the key that wait for the one at its head. */
  waitingBehind(key: string): number {
    return Math.max(0, (this.#counts.get(key) ?? 0) - 1)
  }

  /** Where a task rejected, nothing of its key runs any more: what follows rejects the same way. */
  async run(key: string, task: () => Promise<void>): Promise<void> {
    const before = this.#tails.get(key)
    const done = before === undefined ? task() : before.then(task)
    this.#tails.set(key, done)
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
    try {
      await done
      if (this.#tails.get(key) === done) this.#tails.delete(key)
    } finally {
      this.#leave(key)
    }
  }

  #leave(key: string): void {
    const left = (this.#counts.get(key) ?? 1) - 1
    if (left === 0) this.#counts.delete(key)
    else this.#counts.set(key, left)
  }
}

/** So many at once, the others wait in the order they came. A slot that is given back goes to the next by hand. */
export class Slots {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(count: number) {
    this.#free = count
  }

  async use<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#take(signal)
    try {
      return await task()
    } finally {
      this.#giveBack()
    }
  }

  async #take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#free > 0) {
      this.#free--
      return
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.delete(mine)
        reject(signal.reason)
      }
      const mine = () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.add(mine)
    })
  }

  #giveBack(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free++
      return
    }
    this.#waiting.delete(next)
    next()
  }
}

/** Open or closed; who comes while it is closed waits. */
export class Gate {
  readonly #changed = new WakeUps()
  #isOpen = true

  get isOpen(): boolean {
    return this.#isOpen
  }

  set(open: boolean): void {
    this.#isOpen = open
    this.#changed.wakeAll()
  }

  async pass(signal: AbortSignal): Promise<void> {
    while (!this.#isOpen && !signal.aborted) await this.#changed.after(this.#changed.generation, { signal })
    signal.throwIfAborted()
  }
}
