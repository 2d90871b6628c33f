import type { AnyEvent } from '../core/event.ts'
import type { ConsumerContext } from '../store/event-store.ts'
import { KeyLanes } from './key-lanes.ts'
import type { Projected } from './projection.ts'
import { batchOf, type Work } from './work.ts'

/*
 * Gathers the messages of one partition. One batch is under way at a time, so that all before its last message are done
 * when it is.
 */

export interface BatcherOptions<E extends AnyEvent> {
  readonly maxMessages: number
  readonly maxWaitMs: number
  readonly settle: (work: Work<E>) => Promise<void>
}

interface Gathering<E extends AnyEvent> {
  readonly messages: [Projected<E>, ...Projected<E>[]]
  readonly context: ConsumerContext
  readonly settled: PromiseWithResolvers<void>
  readonly timer: ReturnType<typeof setTimeout>
}

export class MessageBatcher<E extends AnyEvent> {
  readonly #options: BatcherOptions<E>
  readonly #line = new KeyLanes()
  readonly #inLine = new Set<readonly Projected<E>[]>()
  #gathering: Gathering<E> | undefined

  constructor(options: BatcherOptions<E>) {
    this.#options = options
  }

  /** Whatever its key: nothing of the partition passes it. */
  waitingBehind({ offset }: Projected): number {
    const inHand = [...this.#inLine, this.#gathering?.messages ?? []].flat()
    return inHand.filter((message) => message.offset > offset).length
  }

  /** Resolves when the batch that it became part of is settled. */
  add(message: Projected<E>, context: ConsumerContext): Promise<void> {
    if (this.#gathering === undefined) this.#gathering = this.#begin(message, context)
    else this.#gathering.messages.push(message)
    const { messages, settled } = this.#gathering
    if (messages.length >= this.#options.maxMessages) this.#close()
    return settled.promise
  }

  /** After what was gathered before it, by itself. */
  runAlone(message: Projected<E>, task: () => Promise<void>): Promise<void> {
    this.#close()
    return this.#runInLine([message], task)
  }

  async #runInLine(messages: readonly Projected<E>[], task: () => Promise<void>): Promise<void> {
    this.#inLine.add(messages)
    try {
      await this.#line.run('', task)
    } finally {
      this.#inLine.delete(messages)
    }
  }

  #begin(message: Projected<E>, context: ConsumerContext): Gathering<E> {
    const timer = setTimeout(() => this.#close(), this.#options.maxWaitMs)
    return { messages: [message], context, settled: Promise.withResolvers(), timer }
  }

  #close(): void {
    const gathering = this.#gathering
    if (gathering === undefined) return
    this.#gathering = undefined
    const { messages, context, settled, timer } = gathering
    clearTimeout(timer)
    const work = batchOf(messages, context)
    this.#runInLine(messages, () => this.#options.settle(work)).then(settled.resolve, settled.reject)
  }
}
