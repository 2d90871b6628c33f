/*
 * The pending timers of one partition: by when they are due, and in the order of the log. Memory: one small record per
 * pending timer; one that was cancelled leaves the heap when its time comes, or when half of the heap is such.
 */

export interface PendingTimer {
  readonly stream: string
  readonly timer: string
  readonly dueAtMs: number
  /** Of the event that scheduled it. */
  readonly offset: number
}

export class TimerIndex {
  #heap: PendingTimer[] = []
  /** In the order of the log: a later schedule of the same timer goes to the end. */
  readonly #pending = new Map<string, PendingTimer>()

  get size(): number {
    return this.#pending.size
  }

  get nextDueAtMs(): number | undefined {
    this.#dropCancelled()
    return this.#heap[0]?.dueAtMs
  }

  /** The pending timer that was scheduled first. */
  get oldest(): PendingTimer | undefined {
    for (const timer of this.#pending.values()) return timer
    return undefined
  }

  /** The first `maxCount` pending timers of the log that were scheduled before `offset`. */
  scheduledBefore(offset: number, maxCount: number): PendingTimer[] {
    const old: PendingTimer[] = []
    for (const timer of this.#pending.values()) {
      if (timer.offset >= offset || old.length === maxCount) break
      old.push(timer)
    }
    return old
  }

  /** A later schedule of the same timer takes the place of an earlier one. */
  add(timer: PendingTimer): void {
    const key = keyOf(timer)
    this.#pending.delete(key)
    this.#pending.set(key, timer)
    this.#push(timer)
  }

  /** It fired or was cancelled. */
  remove(timer: Pick<PendingTimer, 'stream' | 'timer'>): void {
    this.#pending.delete(keyOf(timer))
    if (this.#heap.length > 2 * this.#pending.size + 64) this.#rebuild()
  }

  /**
   * What is due, the longest overdue first, at most `maxCount`. It stays pending, out of the heap, until it is removed or
   * put back.
   */
  takeDue(nowMs: number, maxCount: number): PendingTimer[] {
    const due: PendingTimer[] = []
    while (due.length < maxCount && (this.nextDueAtMs ?? Number.POSITIVE_INFINITY) <= nowMs) due.push(this.#pop())
    return due
  }

  /** This very schedule is still the timer's. */
  has(timer: PendingTimer): boolean {
    return this.#pending.get(keyOf(timer)) === timer
  }

  /** What was taken did not fire. */
  putBack(timer: PendingTimer): void {
    if (this.has(timer)) this.#push(timer)
  }

  #push(timer: PendingTimer): void {
    this.#heap.push(timer)
    this.#up(this.#heap.length - 1)
  }

  #dropCancelled(): void {
    for (let top = this.#heap[0]; top !== undefined && !this.has(top); top = this.#heap[0]) this.#pop()
  }

  #rebuild(): void {
    this.#heap = this.#heap.filter((timer) => this.has(timer)).sort((a, b) => a.dueAtMs - b.dueAtMs)
  }

  #pop(): PendingTimer {
    const top = this.#heap[0]!
    const last = this.#heap.pop()!
    if (this.#heap.length > 0) {
      this.#heap[0] = last
      this.#down(0)
    }
    return top
  }

  #up(from: number): void {
    for (let index = from; index > 0; ) {
      const parent = (index - 1) >> 1
      if (this.#due(parent) <= this.#due(index)) return
      this.#swap(parent, index)
      index = parent
    }
  }

  #down(from: number): void {
    for (let index = from; ; ) {
      const [left, right] = [2 * index + 1, 2 * index + 2]
      const child = this.#due(right) < this.#due(left) ? right : left
      if (this.#due(child) >= this.#due(index)) return
      this.#swap(child, index)
      index = child
    }
  }

  #due(index: number): number {
    return this.#heap[index]?.dueAtMs ?? Number.POSITIVE_INFINITY
  }

  #swap(a: number, b: number): void {
    const kept = this.#heap[a]!
    this.#heap[a] = this.#heap[b]!
    this.#heap[b] = kept
  }
}

function keyOf({ stream, timer }: Pick<PendingTimer, 'stream' | 'timer'>): string {
  return `${timer}\n${stream}`
}
