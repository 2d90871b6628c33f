import type { IncomingMessage, ServerResponse } from 'node:http'
import { isSession } from '../agents/session/session-events.ts'
import { invalidArgument } from '../store/check-arguments.ts'
import type { EventStore } from '../store/event-store.ts'
import { EventStream, positionIn } from './event-stream.ts'
import type { Asset } from './page-assets.ts'
import { say } from './page-guard.ts'
import { type SessionFeed, SessionFeeds } from './session-feed.ts'
import { SessionLister } from './session-list.ts'
import { SHOWN_ROWS, streamSession } from './session-stream.ts'

export interface PageRoutesOptions {
  readonly store: EventStore
  readonly assets: ReadonlyMap<string, Asset>
  /** Fires when the page closes. */
  readonly stop: AbortSignal
  readonly maxOpenStreams: number
}

/**
 * What there is: `/` and `/sessions/ID` (the page), its files, `/api/sessions` (JSON) and `/api/sessions/ID/events`
 * (Server-Sent Events: `picture`, `rows`, `problem`).
 */
export class PageRoutes {
  readonly #options: PageRoutesOptions
  readonly #lister: SessionLister
  readonly #feeds: SessionFeeds
  readonly #open = new Set<Promise<void>>()

  constructor(options: PageRoutesOptions) {
    this.#options = options
    this.#lister = new SessionLister(options.store)
    this.#feeds = new SessionFeeds(options.store)
  }

  /** Subscriptions to the log. */
  get subscriptions(): number {
    return this.#feeds.size
  }

  /** Ends every subscription; resolves when nothing reads the log for a page any more. */
  async close(): Promise<void> {
    await this.#feeds.close()
    await Promise.allSettled(this.#open)
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { path, query } = partsOf(request.url ?? '/')
    const [first = '', ...rest] = path
    if (first === 'api') return this.#api(request, response, { path: rest, query })
    if (first === 'sessions' && rest.length === 1) {
      const exists = await isSession(this.#options.store, rest[0] ?? '')
      return this.#asset(response, 'index.html', exists ? 200 : 404)
    }
    return path.length > 1 ? notFound(response) : this.#asset(response, first === '' ? 'index.html' : first)
  }

  #asset(response: ServerResponse, name: string, status = 200): void {
    const asset = this.#options.assets.get(name)
    if (asset === undefined) notFound(response)
    else response.writeHead(status, { 'content-type': asset.type, 'content-length': asset.body.length }).end(asset.body)
  }

  async #api(request: IncomingMessage, response: ServerResponse, { path, query }: Parts): Promise<void> {
    const [sessions, sessionId, events] = path
    if (sessions !== 'sessions' || path.length > 3) return notFound(response)
    if (sessionId === undefined) {
      const body = JSON.stringify(await this.#lister.list())
      response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(body)
      return
    }
    if (events !== 'events') return notFound(response)
    const header = request.headers['last-event-id']
    const after = positionIn('Last-Event-ID', String(header ?? '')) ?? positionIn('after', query.get('after'))
    await this.#stream(request, response, { sessionId, after })
  }

  async #stream(request: IncomingMessage, response: ServerResponse, wanted: Wanted): Promise<void> {
    const { maxOpenStreams } = this.#options
    if (this.#open.size >= maxOpenStreams) {
      return say(response, 503, `${maxOpenStreams} pages are open already: close some, then load this one again.`)
    }
    const streaming = this.#joinAndStream(request, response, wanted)
    this.#open.add(streaming)
    await streaming.finally(() => this.#open.delete(streaming))
  }

  async #joinAndStream(
    request: IncomingMessage,
    response: ServerResponse,
    { sessionId, after }: Wanted,
  ): Promise<void> {
    const feed = await this.#feeds.join(sessionId)
    try {
      await this.#streamFeed(request, response, { feed, after })
    } finally {
      await this.#feeds.leave(feed)
    }
  }

  async #streamFeed(
    request: IncomingMessage,
    response: ServerResponse,
    { feed, after = Math.max(0, feed.version - SHOWN_ROWS) }: { feed: SessionFeed; after: number | undefined },
  ): Promise<void> {
    const { version, sessionId } = feed
    if (after > version) {
      const text = `Session "${sessionId}" ends at event ${version}, the page has seen ${after}: this is another log. Load it again.`
      return say(response, 409, text)
    }
    if (response.destroyed) return
    const out = new EventStream(response, this.#options.stop)
    if (request.method === 'GET') await streamSession({ store: this.#options.store, feed, out, after })
    out.end()
  }
}

interface Wanted {
  readonly sessionId: string
  readonly after: number | undefined
}

interface Parts {
  readonly path: readonly string[]
  readonly query: URLSearchParams
}

/** @throws INVALID_ARGUMENT */
function partsOf(url: string): Parts {
  try {
    const { pathname, searchParams } = new URL(url, 'http://page')
    const path = pathname.split('/').filter((part) => part !== '')
    return { path: path.map(decodeURIComponent), query: searchParams }
  } catch {
    throw invalidArgument(`The address cannot be read: ${JSON.stringify(url.slice(0, 200))}.`)
  }
}

function notFound(response: ServerResponse): void {
  say(response, 404, 'There is nothing here. The sessions are at /')
}
