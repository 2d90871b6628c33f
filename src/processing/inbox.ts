import { DuologError } from '../core/errors.ts'
import { checkNames, type Names } from '../core/known-names.ts'
import { reach } from '../core/reach.ts'
import { checkFunction, checkInteger, checkMade, checkName, checkOneOf } from '../store/check-arguments.ts'

/*
 * Effects outside the log, once per message.
 *
 * P7 An effect is noted before it begins and after it ended. One that began and was not seen to end is in doubt: it is
 *    never silently repeated; what becomes of it is the caller's policy.
 * I1 What is noted as done stays done as long as it is remembered. I2 What is in doubt is never forgotten by itself.
 */

/** What is known of a message: nothing before, its effect began, or it is done. */
export type InboxEntry = 'new' | 'begun' | 'done'

/** Where an inbox keeps what it knows; {@link memoryInbox} and `sqliteInbox` come with the package. */
export interface InboxStore {
  /** Notes that the effect begins, if nothing is known; answers what was known before. Atomic and durable. */
  begin(consumer: string, messageId: string): Promise<InboxEntry>
  /** Notes that it is done. Durable. */
  finish(consumer: string, messageId: string): Promise<void>
  /** Forgets that it began; what is done stays. */
  forget(consumer: string, messageId: string): Promise<void>
  /** The messages whose effect began and was not seen to end, in the order they began. */
  begun(consumer: string): Promise<readonly string[]>
  /** Releases what it holds. Idempotent. */
  close(): Promise<void>
}

/** How much of what is done is remembered; what goes beyond is forgotten, the oldest first. */
export interface InboxWindow {
  /** Messages per consumer. Default 100,000. */
  readonly maxMessages?: number
  /** How long after it was done, milliseconds. Default: no limit. */
  readonly maxAgeMs?: number
}

/** What {@link createInbox} takes. */
export interface InboxOptions {
  /** Who has the effect; each consumer has its own view of what is done. */
  readonly consumer: string
  /** Where it keeps what it knows; yours to close. */
  readonly store: InboxStore
  /**
   * An effect that began and was not seen to end, because the process died. `ask` (default): EFFECT_IN_DOUBT is thrown, which
   * no retry changes, so a processor puts the message aside and a person decides; `retry`: it is repeated, which is right
   * where the other side knows `idempotencyKey`; `skip`: it counts as done.
   */
  readonly inDoubt?: 'ask' | 'retry' | 'skip'
}

/** What an effect gets. */
export interface EffectContext {
  /** The same for each try of this message: for the other side, if it takes one. */
  readonly idempotencyKey: string
  /** True when an earlier try was not seen to end. */
  readonly isRepeat: boolean
}

/** Runs effects once per message. */
export interface Inbox {
  /**
   * Runs the effect unless it is known to be done (`repeated`). An effect that rejects counts as not happened and may be
   * tried again; who cannot know that should use `idempotencyKey` and `inDoubt: 'retry'`.
   *
   * @throws EFFECT_IN_DOUBT with `inDoubt: 'ask'`; whatever the effect rejects with.
   */
  once(messageId: string, effect: (context: EffectContext) => Promise<unknown>): Promise<'done' | 'repeated'>
  /** The messages in doubt, or just under way. */
  inDoubt(): Promise<readonly string[]>
  /** A person found out: it happened (`done`), or it did not and may be tried again (`not-done`). */
  resolve(messageId: string, outcome: 'done' | 'not-done'): Promise<void>
}

const NAMES: Names<InboxOptions> = { consumer: true, store: true, inDoubt: true }
const WINDOW: Names<InboxWindow> = { maxMessages: true, maxAgeMs: true }

/** An inbox: effects outside the log (a mail, a payment, a command) once per message. @throws INVALID_ARGUMENT */
export function createInbox(options: InboxOptions): Inbox {
  checkNames('options of createInbox', options, NAMES)
  checkName('consumer', options?.consumer)
  const { consumer, store, inDoubt = 'ask' } = options
  checkMade('store', store, 'memoryInbox() or sqliteInbox({ path })', ['begin', 'finish', 'forget', 'begun'])
  checkOneOf('inDoubt', inDoubt, ['ask', 'retry', 'skip'])

  async function run(messageId: string, isRepeat: boolean, effect: (context: EffectContext) => Promise<unknown>) {
    reach('inbox.effect.begin')
    try {
      await effect({ idempotencyKey: `${consumer}/${messageId}`, isRepeat })
    } catch (error) {
      await store.forget(consumer, messageId)
      throw error
    }
    reach('inbox.effect.done')
    await store.finish(consumer, messageId)
    reach('inbox.effect.recorded')
  }

  return {
    async once(messageId, effect) {
      checkName('messageId', messageId)
      checkFunction('effect', effect)
      const known = await store.begin(consumer, messageId)
      if (known === 'done') return 'repeated'
      if (known === 'begun' && inDoubt === 'ask') throw effectInDoubt(consumer, messageId)
      if (known === 'begun' && inDoubt === 'skip') {
        await store.finish(consumer, messageId)
        return 'repeated'
      }
      await run(messageId, known === 'begun', effect)
      return 'done'
    },
    inDoubt: () => store.begun(consumer),
    async resolve(messageId, outcome) {
      checkName('messageId', messageId)
      checkOneOf('outcome', outcome, ['done', 'not-done'])
      if (outcome === 'done') await store.finish(consumer, messageId)
      else await store.forget(consumer, messageId)
    },
  }
}

export const DEFAULT_MAX_MESSAGES = 100_000

export function checkWindow({ maxMessages, maxAgeMs }: InboxWindow): void {
  if (maxMessages !== undefined) checkInteger('maxMessages', maxMessages, 1)
  if (maxAgeMs !== undefined) checkInteger('maxAgeMs', maxAgeMs, 1)
}

/** An inbox that lives as long as the process: against repeats, not against crashes. */
export function memoryInbox(window: InboxWindow = {}): InboxStore {
  checkNames('options of memoryInbox', window, WINDOW)
  checkWindow(window)
  const consumers = new Map<string, Known>()
  const of = (consumer: string) => {
    const known = consumers.get(consumer) ?? { begun: new Set(), done: new Map() }
    consumers.set(consumer, known)
    return known
  }
  return {
    async begin(consumer, messageId) {
      const { begun, done } = of(consumer)
      prune(done, window)
      if (done.has(messageId)) return 'done'
      if (begun.has(messageId)) return 'begun'
      begun.add(messageId)
      return 'new'
    },
    async finish(consumer, messageId) {
      const { begun, done } = of(consumer)
      begun.delete(messageId)
      done.set(messageId, performance.now())
      prune(done, window)
    },
    forget: async (consumer, messageId) => void of(consumer).begun.delete(messageId),
    begun: async (consumer) => [...of(consumer).begun],
    close: async () => {},
  }
}

interface Known {
  readonly begun: Set<string>
  /** When each was done (by a clock that nobody sets), the oldest first. */
  readonly done: Map<string, number>
}

function prune(
  done: Map<string, number>,
  { maxMessages = DEFAULT_MAX_MESSAGES, maxAgeMs = Number.POSITIVE_INFINITY }: InboxWindow,
): void {
  const oldestMs = performance.now() - maxAgeMs
  for (const [messageId, doneMs] of done) {
    if (done.size <= maxMessages && doneMs >= oldestMs) return
    done.delete(messageId)
  }
}

function effectInDoubt(consumer: string, messageId: string): DuologError {
  return new DuologError(
    'EFFECT_IN_DOUBT',
    `The effect of message "${messageId}" in "${consumer}" began and was not seen to end: perhaps it happened. Find out, then ` +
      "say so with inbox.resolve(messageId, 'done' or 'not-done') and send the message again; or choose inDoubt: 'retry' " +
      'where the other side takes an idempotency key.',
  )
}
