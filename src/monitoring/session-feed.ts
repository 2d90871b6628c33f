import { sessionStateBefore } from '../agents/fold-session.ts'
import { sessionNotFound } from '../agents/read-sessions.ts'
import type { SessionEvent } from '../agents/session/schemas.ts'
import { isSession, sessionEvents } from '../agents/session/session-events.ts'
import { DuologError } from '../core/errors.ts'
import type { RecordedEvent } from '../core/event.ts'
import { messageOf } from '../core/message-of.ts'
import type { EventStore } from '../store/event-store.ts'
import { type Subscription, subscribe } from '../store/subscribe.ts'
import { WakeUps } from '../store/wake-ups.ts'
import { PictureFold, type SessionPicture } from './session-picture.ts'

/*
 * F1 One subscription for each session that is looked at, however many look; it ends with the last of them.
 * F2 A feed keeps the fold, not the events: each page reads its rows itself, at its own pace, up to `version`.
 */

/** What happens to one session, for all who look at it. */
export class SessionFeed {
  /** Woken by every event, and by the end. */
  readonly changes = new WakeUps()
  /** Resolves when all that was there has been folded; rejects when the log cannot be read. */
  readonly ready: Promise<void>
  readonly #store: EventStore
  readonly sessionId: string
  readonly #events: Subscription
  readonly #fold: PictureFold
  #version = 0
  #ended = false
  #error: unknown
  #unreadable: string | undefined
  #drawn: { readonly version: number; readonly json: string } | undefined

  constructor(store: EventStore, sessionId: string) {
    this.#store = store
    this.sessionId = sessionId
    this.#fold = new PictureFold(sessionId)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.ready = promise
    // Whoever joins waits for it; that nobody does is no fault.
    promise.catch(() => undefined)
    this.#events = subscribe(store, { stream: sessionId, onCaughtUp: resolve })
    void this.#follow().finally(() => reject(this.#error ?? new DuologError('STORE_CLOSED', 'The log was closed.')))
  }

  /** Of the last event seen. */
  get version(): number {
    return this.#version
  }

  /** No more will come: closed, the store was closed, or `error`. */
  get ended(): boolean {
    return this.#ended
  }

  get error(): unknown {
    return this.#error
  }

  /** Why the picture stands still although events come: one of them cannot be read by this program. */
  get unreadable(): string | undefined {
    return this.#unreadable
  }

  /** The picture as JSON, made once for each version that somebody asks for. */
  picture(): string {
    if (this.#drawn?.version !== this.#version) {
      const picture: SessionPicture = this.#fold.picture(Date.now())
      this.#drawn = { version: this.#version, json: JSON.stringify(picture) }
    }
    return this.#drawn!.json
  }

  async close(): Promise<void> {
    await this.#events.close()
  }

  async #follow(): Promise<void> {
    try {
      for await (const event of this.#events) {
        if (this.#unreadable === undefined) await this.#see(event)
        this.#version = event.streamPosition
        this.changes.wakeAll()
      }
    } catch (error) {
      this.#error = error
    }
    this.#ended = true
    this.changes.wakeAll()
  }

  async #see(event: RecordedEvent): Promise<void> {
    try {
      const where = `event ${event.streamPosition} of session "${this.sessionId}"`
      const known = sessionEvents.fromStored(event, where) as RecordedEvent<SessionEvent>
      if (event.streamPosition === 1) this.#fold.beginWith(await sessionStateBefore(this.#store, known))
      this.#fold.see(known)
    } catch (error) {
      this.#unreadable = `The picture stops here: ${messageOf(error)}`
    }
  }
}

/** The feeds in use. */
export class SessionFeeds {
  readonly #store: EventStore
  readonly #open = new Map<string, { readonly feed: SessionFeed; users: number }>()

  constructor(store: EventStore) {
    this.#store = store
  }

  /** Sessions looked at. */
  get size(): number {
    return this.#open.size
  }

  /**
   * The session's feed, folded up to now; whoever joined leaves it.
   * @throws SESSION_NOT_FOUND
   */
  async join(sessionId: string): Promise<SessionFeed> {
    if (!(await isSession(this.#store, sessionId))) throw sessionNotFound(sessionId)
    const entry = this.#entry(sessionId)
    entry.users++
    try {
      await entry.feed.ready
    } catch (error) {
      await this.leave(entry.feed)
      throw error
    }
    return entry.feed
  }

  async leave(feed: SessionFeed): Promise<void> {
    const entry = this.#open.get(feed.sessionId)
    if (entry?.feed === feed) {
      if (--entry.users > 0) return
      this.#open.delete(feed.sessionId)
    }
    await feed.close()
  }

  /** Ends all of them; who waits to join one is refused. */
  async close(): Promise<void> {
    const feeds = [...this.#open.values()].map(({ feed }) => feed)
    this.#open.clear()
    await Promise.all(feeds.map((feed) => feed.close()))
  }

  #entry(sessionId: string) {
    const known = this.#open.get(sessionId)
    if (known !== undefined && !known.feed.ended) return known
    const entry = { feed: new SessionFeed(this.#store, sessionId), users: 0 }
    this.#open.set(sessionId, entry)
    return entry
  }
}
