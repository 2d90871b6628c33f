/*
 * Pending timers by when they are due. Memory: one small record per pending timer; a cancelled one leaves the heap when
 * its time comes, or when half of the heap is such.
 */

export interface PendingTimer {
  readonly stream: string
  readonly timer: string
  readonly dueAtMs: number
}

export class TimerIndex {
  #heap: PendingTimer[] = []
  readonly #pending = new Map<string, PendingTimer>()

  get size(): number {
    return this.#pending.size
  }

  get nextDueAtMs(): number | undefined {
    this.#dropCancelled()
    return this.#heap[0]?.dueAtMs
  }

  /** A later schedule of the same timer takes the place of an earlier one. */
  add(timer: PendingTimer): void {
    this.#pending.set(keyOf(timer), timer)
    this.#heap.push(timer)
    this.#up(this.#heap.length - 1)
  }

  remove(timer: Pick<PendingTimer, 'stream' | 'timer'>): void {
    this.#pending.delete(keyOf(timer))
    if (this.#heap.length > 2 * this.#pending.size + 64) this.#rebuild()
  }

  /** Takes out what is due, the longest overdue first, at most `maxCount`. */
  takeDue(nowMs: number, maxCount: number): PendingTimer[] {
    const due: PendingTimer[] = []
    while (due.length < maxCount && (this.nextDueAtMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
      const timer = this.#pop()
      this.#pending.delete(keyOf(timer))
      due.push(timer)
    }
    return due
  }

  #dropCancelled(): void {
    for (let top = this.#heap[0]; top !== undefined && this.#pending.get(keyOf(top)) !== top; top = this.#heap[0]) {
      this.#pop()
    }
  }

  #rebuild(): void {
    this.#heap = [...this.#pending.values()].sort((a, b) => a.dueAtMs - b.dueAtMs)
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
