import { sessionStateAt } from '../agents/fold-session.ts'
import { isSession } from '../agents/session/session-events.ts'
import { sessionView } from '../agents/session/view.ts'
import type { EventStore, StreamInfo } from '../store/event-store.ts'
import { short } from './event-row.ts'

/** A session in the page's list. */
export interface ListedSession {
  readonly sessionId: string
  readonly status: string
  readonly task: string
  readonly workItems: number
  readonly accepted: number
  readonly costUsd: number
  readonly events: number
  /** ISO time. */
  readonly lastEventAt: string
}

export interface SessionList {
  /** The newest first. */
  readonly sessions: readonly ListedSession[]
  /** There are older ones, which are not in it. */
  readonly more: boolean
}

const MAX_LISTED = 200
/** However many ask, the log is looked at once in so long. */
const FRESH_MS = 1000
const MAX_TASK = 300

/** By stream; those that are no sessions, too. */
type Looked = Map<string, { readonly version: number; readonly session: ListedSession | undefined }>

/** The list of sessions: looks at the newest streams only, and folds a session again only after it has changed. */
export class SessionLister {
  readonly #store: EventStore
  #known: Looked = new Map()
  #last: { readonly list: Promise<SessionList>; readonly atMs: number } | undefined

  constructor(store: EventStore) {
    this.#store = store
  }

  list(): Promise<SessionList> {
    const nowMs = performance.now()
    if (this.#last === undefined || nowMs - this.#last.atMs > FRESH_MS) {
      const list = this.#look()
      this.#last = { list, atMs: nowMs }
      // One that failed is not kept.
      list.catch(() => {
        this.#last = undefined
      })
    }
    return this.#last.list
  }

  async #look(): Promise<SessionList> {
    const streams: StreamInfo[] = []
    for await (const info of this.#store.listStreams()) streams.push(info)
    streams.sort((a, b) => b.lastEventAt.localeCompare(a.lastEventAt))
    const sessions: ListedSession[] = []
    const looked: Looked = new Map()
    for (const info of streams) {
      if (sessions.length >= MAX_LISTED) break
      const session = await this.#session(info)
      looked.set(info.stream, { version: info.currentStreamVersion, session })
      if (session !== undefined) sessions.push(session)
    }
    this.#known = looked
    return { sessions, more: looked.size < streams.length }
  }

  async #session(info: StreamInfo): Promise<ListedSession | undefined> {
    const known = this.#known.get(info.stream)
    const same = known?.version === info.currentStreamVersion || (known !== undefined && known.session === undefined)
    if (same) return known?.session
    return (await isSession(this.#store, info.stream)) ? listed(this.#store, info) : undefined
  }
}

/** One that this program cannot read is in the list all the same, and says so. */
async function listed(store: EventStore, { stream, currentStreamVersion, lastEventAt }: StreamInfo) {
  const unread = { sessionId: stream, status: 'unreadable', task: '', workItems: 0, accepted: 0, costUsd: 0 }
  const place = { events: currentStreamVersion, lastEventAt }
  try {
    const { state, version } = await sessionStateAt(store, stream)
    const { status, task, totals } = sessionView(stream, state, version)
    const { workItems, accepted, costUsd } = totals
    return { sessionId: stream, status, task: short(task, MAX_TASK), workItems, accepted, costUsd, ...place }
  } catch (error) {
    return { ...unread, task: error instanceof Error ? short(error.message, MAX_TASK) : '', ...place }
  }
}
