import type { DuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import type { Checkpoint, Consumer, ConsumerContext, EventStore } from '../store/event-store.ts'
import { redriveTopic } from './dead-letter.ts'
import { insist } from './insist.ts'
import { KeyLanes } from './key-lanes.ts'
import { isOwnFact } from './own-facts.ts'
import { placeOf } from './partition-lag.ts'
import { PartitionWatch } from './partition-watch.ts'
import { PoisonPolicy, type PoisonPolicyOptions } from './poison-policy.ts'
import { processFailed } from './process-failed.ts'
import type { ProcessManager } from './process-manager.ts'
import type { Projected } from './projection.ts'
import { isPointer, resolveFact } from './put-aside.ts'
import { ownCheckpoint } from './work.ts'

/*
 * What a process manager hears: each message is brought to an end, heard by its process, passed over or put aside.
 *
 * P6 Messages of one process one after the other, of different processes side by side. One that may be any process's
 *    (it cannot be read, `correlate` throws, it was redriven) holds up all behind it. So a process never hears what comes
 *    later sooner, also not from a program that was mended.
 */

export interface ProcessListenerOptions<State, E extends AnyEvent> extends PoisonPolicyOptions<E> {
  readonly store: EventStore<E>
  /** Its functions throw PROCESS_INVALID and nothing else. */
  readonly manager: ProcessManager<State, E>
  readonly eventTopic: string
  readonly maxInFlight: number
  /** The checkpoint, where all before the message is done. */
  readonly hear: (message: Projected<E>, correlationId: string, checkpoint: Checkpoint | undefined) => Promise<void>
  readonly onError: (error: unknown) => void
}

export class ProcessListener<State, E extends AnyEvent> {
  readonly ready: Promise<void>
  readonly ended: Promise<DuologError | undefined>
  readonly watch = new PartitionWatch()
  readonly #options: ProcessListenerOptions<State, E>
  readonly #poison: PoisonPolicy<E>
  readonly #consumer: Consumer
  readonly #lanes = new Map<string, PartitionLanes>()

  constructor(options: ProcessListenerOptions<State, E>) {
    this.#options = options
    this.#poison = new PoisonPolicy(options)
    this.#consumer = this.#listen()
    this.ready = this.#consumer.ready
    this.ended = this.#consumer.ended
  }

  stop(): Promise<void> {
    return this.#consumer.stop()
  }

  #listen(): Consumer {
    const { store, group, manager, eventTopic, maxInFlight, onError } = this.#options
    const { topics = [eventTopic] } = manager
    const unreadable = async (error: unknown, message: Projected, context: ConsumerContext) => {
      const meet = () => this.#poison.meet(error, message, ownCheckpoint(message, context))
      await this.#lanesOf(message).run(undefined, () => this.#insist(message, context, meet))
    }
    return store.consume({
      group,
      topics: topics.includes(eventTopic) ? [...topics, redriveTopic(group)] : topics,
      maxInFlight,
      select: (message) => !isOwnFact(message),
      onTaken: (partition) => {
        this.watch.take(partition)
        this.#lanes.set(placeOf(partition), new PartitionLanes())
      },
      handler: (message, context) => this.#handle(message, context),
      unreadable,
      ...(this.#poison.hearsOfStrangers && { stranger: unreadable }),
      onError,
    })
  }

  async #handle(message: Projected<E>, context: ConsumerContext): Promise<void> {
    const process = this.#processOf(message)
    if (process === 'none') return
    const take = () => this.#take(message, process.id, context)
    await this.#lanesOf(message).run(process.id, () => this.#insist(message, context, take))
  }

  /** Without an id: that cannot be told. */
  #processOf(message: Projected<E>): { readonly id: string | undefined } | 'none' {
    if (isPointer(message, this.#options.group)) return { id: undefined }
    try {
      const id = this.#options.manager.correlate(message)
      return id === undefined ? 'none' : { id }
    } catch {
      return { id: undefined }
    }
  }

  #insist(message: Projected, { signal }: ConsumerContext, step: () => Promise<void>): Promise<void> {
    const onFailure = (error: unknown, attempt: number) => {
      this.watch.failed(error, message, attempt)
      this.#options.onError(error)
    }
    const taken = async () => {
      await step()
      this.watch.done(message)
    }
    return insist(taken, { signal, onFailure })
  }

  /** What its own functions cannot take in is for the policy; a log that does not get on is waited for. */
  async #take(delivered: Projected<E>, id: string | undefined, context: ConsumerContext): Promise<void> {
    const { store, group, manager, hear } = this.#options
    const message = isPointer(delivered, group) ? await resolveFact(store, delivered, group) : delivered
    try {
      const correlationId = id ?? manager.correlate(message)
      if (correlationId !== undefined) await hear(message, correlationId, ownCheckpoint(delivered, context))
    } catch (error) {
      const failed = processFailed(manager.name, message, error)
      if (failed === undefined) throw error
      await this.#poison.meet(failed, delivered, ownCheckpoint(delivered, context))
    }
  }

  #lanesOf(message: Projected): PartitionLanes {
    const lanes = this.#lanes.get(placeOf(message))
    if (lanes === undefined) throw new Error(`Partition ${placeOf(message)} was not taken.`)
    return lanes
  }
}

/** In the order of the calls. */
class PartitionLanes {
  readonly #lanes = new KeyLanes()
  #alone: Promise<void> | undefined

  /** Without a process all that comes after waits for it. Where one rejected, so does what waits for it. */
  run(process: string | undefined, task: () => Promise<void>): Promise<void> {
    const before = this.#alone
    const begin = before === undefined ? task : () => before.then(task)
    return process === undefined ? this.#runAlone(begin) : this.#lanes.run(process, begin)
  }

  async #runAlone(begin: () => Promise<void>): Promise<void> {
    const done = begin()
    this.#alone = done
    await done
    if (this.#alone === done) this.#alone = undefined
  }
}
