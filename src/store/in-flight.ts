import type { AnyEvent, RecordedEvent, RecordedMessage } from '../core/event.ts'
import type { Checkpoint, PartitionPosition, TakenPartition } from './event-store.ts'
import { WakeUps } from './wake-ups.ts'

/*
 * The messages of one partition that are in the handler's hands, in order.
 *
 * P6 The checkpoint moves only past a contiguous run of done messages: what is done behind one that is not stays here,
 *    and comes again after a crash. So what is here is bounded, and so is what comes again.
 */

type Message<E extends AnyEvent> = RecordedMessage<E> | RecordedEvent<E>

interface Source<E extends AnyEvent> {
  checkpointAfter(message: Message<E>): Checkpoint
  /** Where what was read ends. */
  position(): PartitionPosition
}

interface Held<E extends AnyEvent> {
  readonly message: Message<E>
  readonly isDone: boolean
}

export interface InHand<E extends AnyEvent> extends Held<E> {
  isDone: boolean
}

/** Messages in a row that nobody gets: the last of them stands for all. */
class Passed<E extends AnyEvent> implements Held<E> {
  message: Message<E>
  readonly isDone = true

  constructor(message: Message<E>) {
    this.message = message
  }
}

export class InFlight<E extends AnyEvent> {
  /** Read, and next in line: counted as not done. */
  upcoming: Message<E> | undefined
  readonly #source: Source<E>
  readonly #commit: (checkpoint: Checkpoint) => Promise<void>
  readonly #maxMessages: number
  readonly #changed = new WakeUps()
  #held: Held<E>[] = []
  /** Of those held, who were handed out: what is passed over takes no room, since nobody is at work on it who would make some. */
  #handedOut = 0
  #running = 0
  #isFlushing = false
  /** The last checkpoint that was committed. */
  #reached: Checkpoint | undefined

  constructor(source: Source<E>, maxMessages: number, commit: (checkpoint: Checkpoint) => Promise<void>) {
    this.#source = source
    this.#maxMessages = maxMessages
    this.#commit = commit
  }

  get hasRoom(): boolean {
    return this.#handedOut < this.#maxMessages
  }

  room(signal: AbortSignal): Promise<void> {
    return this.#until(() => this.hasRoom, signal)
  }

  /** Nobody commits at the moment, and the first of all is done. */
  get mayFlush(): boolean {
    return !this.#isFlushing && this.#held[0]?.isDone === true
  }

  /** Resolves when nobody is at work on a message. */
  idle(): Promise<void> {
    return this.#until(() => this.#running === 0)
  }

  /** From here to `leave` somebody is at work on the message; it stays, not done, when that was given up. */
  hold(message: Message<E>): InHand<E> {
    const held = { message, isDone: false }
    this.#held.push(held)
    this.#handedOut++
    this.#running++
    this.upcoming = undefined
    return held
  }

  leave(): void {
    this.#running--
    this.#changed.wakeAll()
  }

  /** It is done, and nobody gets it. */
  pass(message: Message<E>): void {
    const last = this.#held[this.#held.length - 1]
    // Whoever flushes has looked at it already.
    if (last instanceof Passed && !this.#isFlushing) last.message = message
    else this.#held.push(new Passed(message))
  }

  /** Commits how far all is done. While somebody commits already, that one goes on as long as there is more. */
  async flush(): Promise<void> {
    if (this.#isFlushing) return
    this.#isFlushing = true
    try {
      for (let done = this.#doneFromTheHead(); done.length > 0; done = this.#doneFromTheHead()) {
        const checkpoint = this.#source.checkpointAfter((done[done.length - 1] as Held<E>).message)
        await this.#commit(checkpoint)
        this.#reached = checkpoint
        this.#held = this.#held.slice(done.length)
        this.#handedOut -= done.filter((held) => !(held instanceof Passed)).length
        this.#changed.wakeAll()
      }
    } finally {
      this.#isFlushing = false
    }
  }

  /** What an append of this message's handler may carry: past the message once all before it are done. */
  checkpointFor(held: Held<E>): Checkpoint {
    const own = this.#source.checkpointAfter(held.message)
    const first = this.#firstOpen() ?? held
    if (first.message.offset >= held.message.offset) return own
    return this.#reached ?? { ...own, offset: first.message.offset }
  }

  view(signal: AbortSignal): TakenPartition {
    const oldest = () => this.#firstOpen()?.message ?? this.upcoming
    const { topic, partition } = this.#source.position()
    return {
      ...{ topic, partition, signal },
      position: () => oldest()?.offset ?? this.#source.position().offset,
      oldestTimestamp: () => oldest()?.timestamp,
    }
  }

  #firstOpen(): Held<E> | undefined {
    return this.#held.find(({ isDone }) => !isDone)
  }

  #doneFromTheHead(): readonly Held<E>[] {
    const open = this.#held.findIndex(({ isDone }) => !isDone)
    return this.#held.slice(0, open === -1 ? this.#held.length : open)
  }

  async #until(yes: () => boolean, signal?: AbortSignal): Promise<void> {
    while (!yes() && !signal?.aborted) await this.#changed.after(this.#changed.generation, { signal })
  }
}
