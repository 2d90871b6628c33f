import assert from 'node:assert/strict'
import type { AnyEvent, RecordedEvent } from '../../core/event.ts'
import { uuidV7 } from '../../core/ids.ts'
import type { ConsumeOptions, Consumer, ConsumerContext, EventStore } from '../../store/event-store.ts'
import type { StoreOptions } from '../../store/store-options.ts'
import { systemClock, systemRandom } from '../../store/system.ts'

/*
 * What one test of the contract is, and the hands it works with. Tests share one log, so that a broker is asked for its
 * topics once: each uses names of its own and looks at nothing else.
 */

/** One log under test; `open` may be called often: each is a store of its own on the same log. */
export interface ContractLog {
  /** Opens a store on this log; called more than once. */
  open(options?: StoreOptions): Promise<EventStore>
  /** After the last test: removes files, topics, whatever there is. */
  remove?(): Promise<void>
}

/** What a backing may lack, for a stated reason. */
export type Lacking =
  /** A second store can be open on the same log. */
  | 'second-store'
  /** The log outlives its last store. */
  | 'reopen'
  /** A checkpoint of a former owner is refused. */
  | 'fenced-checkpoint'
  /** Presence reaches beyond one store. */
  | 'shared-presence'

export interface ContractTest {
  /** Starts with the invariants it shows. */
  readonly name: string
  readonly needs?: readonly Lacking[]
  run(t: ContractContext): Promise<void>
}

export type Message = Parameters<ConsumeOptions['handler']>[0]

/** A running consumer and what its handler saw. */
export interface Collector extends Consumer {
  readonly seen: readonly Message[]
  /** Resolves when `count` messages were handled. */
  handled(count: number): Promise<readonly Message[]>
}

export interface CollectOptions extends Partial<Omit<ConsumeOptions, 'handler'>> {
  /** Only messages with a key that starts so are seen; the others are passed over. */
  readonly keys: string
  readonly handle?: (message: Message, context: ConsumerContext) => Promise<void>
  readonly store?: EventStore
}

export class ContractContext {
  readonly store: EventStore
  readonly log: ContractLog
  readonly timeoutMs: number
  readonly #cleanUp: (() => Promise<unknown>)[] = []

  constructor(store: EventStore, log: ContractLog, timeoutMs: number) {
    this.store = store
    this.log = log
    this.timeoutMs = timeoutMs
  }

  /** A name nobody else uses. */
  name(prefix = 'stream'): string {
    return `${prefix}-${uuidV7(systemClock.now(), systemRandom)}`
  }

  /** Another store on the same log, closed after the test. */
  async open(options?: StoreOptions): Promise<EventStore> {
    const store = await this.within(this.log.open(options), 'a second store to open')
    this.#cleanUp.push(() => store.close())
    return store
  }

  async read(stream: string, store: EventStore = this.store): Promise<RecordedEvent[]> {
    return this.within(collect(store.readStream(stream)), `stream "${stream}" to be read`)
  }

  /** Fails the test instead of hanging it. */
  async within<T>(promise: Promise<T>, what: string, timeoutMs = this.timeoutMs): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      const error = new assert.AssertionError({ message: `waited ${timeoutMs} ms for ${what}` })
      timer = setTimeout(() => reject(error), timeoutMs)
    })
    try {
      return await Promise.race([promise, late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Asks again and again until the answer is yes. */
  async eventually(what: string, ask: () => boolean | Promise<boolean>): Promise<void> {
    const end = systemClock.now() + this.timeoutMs
    while (!(await ask())) {
      if (systemClock.now() > end) assert.fail(`waited ${this.timeoutMs} ms until ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** Consumes as a member of a group (a new one by default) and waits until it stands. */
  async collect(options: CollectOptions): Promise<Collector> {
    const { keys, handle, store = this.store, ...rest } = options
    const seen: Message[] = []
    const consumer = store.consume({
      group: this.name('group'),
      topics: [DEFAULT_TOPIC],
      ...rest,
      handler: async (message, context) => {
        if (!message.key.startsWith(keys)) return
        await handle?.(message, context)
        seen.push(message)
      },
    })
    this.#cleanUp.push(() => consumer.stop())
    await this.within(consumer.ready, 'a consumer to be ready')
    const handled = async (count: number) => {
      await this.eventually(`${count} messages were handled`, () => seen.length >= count)
      return seen
    }
    const stop = () => this.within(consumer.stop(), 'a consumer to stop')
    return { ready: consumer.ready, ended: consumer.ended, stop, seen, handled }
  }

  async cleanUp(): Promise<void> {
    for (const step of this.#cleanUp.reverse()) await this.within(step(), 'a test to be cleaned up')
  }
}

export const DEFAULT_TOPIC = 'session.events'
export const TASK_TOPIC = 'agent.tasks.worker'

export function event(n = 1, type = 'Counted'): AnyEvent & { readonly data: { readonly n: number } } {
  return { type, data: { n } }
}

/** `[event(1), event(2), …]` */
export function events(count: number): AnyEvent[] {
  return Array.from({ length: count }, (_, index) => event(index + 1))
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}

export function positions(recorded: readonly RecordedEvent[]): number[] {
  return recorded.map((one) => one.streamPosition)
}

/** 1, 2, … count */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1)
}

export function dataOf(recorded: readonly AnyEvent[]): unknown[] {
  return recorded.map((one) => one.data)
}

/** Asserts that the promise rejects with an error of this code, and returns it. */
export async function refused(promise: Promise<unknown>, code: string): Promise<Error & Record<string, unknown>> {
  try {
    await promise
  } catch (error) {
    assert.ok(error instanceof Error, `expected ${code}, got ${error}`)
    assert.equal((error as Error & { code?: unknown }).code, code, `${error.name}: ${error.message}`)
    return error as Error & Record<string, unknown>
  }
  return assert.fail(`expected a refusal with ${code}, but it was accepted`)
}
