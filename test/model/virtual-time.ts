/*
 * Time that passes only when all that can happen now has happened. For the length of a run the program's timers, its clock and its
 * dice are ours, so a schedule is a function of its seed.
 */

interface Due {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

export class VirtualTime {
  nowMs = 0
  #order = 0
  #due: Due[] = []

  after(ms: number, run: () => void): Due {
    const due = { atMs: this.nowMs + Math.max(0, ms), order: this.#order++, run }
    const index = this.#due.findLastIndex(({ atMs }) => atMs <= due.atMs)
    this.#due.splice(index + 1, 0, due)
    return due
  }

  cancel(due: Due): void {
    this.#due = this.#due.filter((one) => one !== due)
  }

  /** Runs until `done`, or until the time is over: then false. */
  async run(done: () => boolean, untilMs: number): Promise<boolean> {
    while (!done()) {
      await settled()
      const next = done() ? undefined : this.#due.shift()
      if (next === undefined) return done()
      this.nowMs = Math.max(this.nowMs, next.atMs)
      if (this.nowMs > untilMs) return false
      next.run()
    }
    return true
  }
}

const realImmediate = globalThis.setImmediate
const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setImmediate: realImmediate,
  now: performance.now,
  random: Math.random,
}

/** All microtasks have run. */
function settled(): Promise<void> {
  return new Promise((resolve) => void realImmediate(resolve))
}

/** A small generator with a seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export async function inVirtualTime<T>(random: () => number, work: (time: VirtualTime) => Promise<T>): Promise<T> {
  const time = new VirtualTime()
  const timers = new Map<object, Due>()
  const setTimer = (run: () => void, ms = 0) => {
    const handle = { unref: () => handle, ref: () => handle }
    timers.set(handle, time.after(ms, run))
    return handle
  }
  const clearTimer = (handle: object) => {
    const due = timers.get(handle)
    if (due !== undefined) time.cancel(due)
  }
  Object.assign(globalThis, {
    setTimeout: setTimer,
    clearTimeout: clearTimer,
    setImmediate: (run: () => void) => setTimer(run),
  })
  performance.now = () => time.nowMs
  Math.random = random
  try {
    return await work(time)
  } finally {
    Object.assign(globalThis, {
      setTimeout: real.setTimeout,
      clearTimeout: real.clearTimeout,
      setImmediate: real.setImmediate,
    })
    performance.now = real.now
    Math.random = real.random
  }
}
