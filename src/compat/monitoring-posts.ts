import { DuologError } from '../core/errors.ts'
import type { CoordinationEvent } from './host-types.ts'

/** Where the host's old dashboard listens. */
export const DASHBOARD = 'http://localhost:4005/api/monitoring'

/** Which session it is that something is told of. */
export interface PostedSession {
  readonly sessionId: string
  readonly task: string
  readonly workDir: string
}

export interface MonitoringPostsOptions {
  readonly url: URL
  /** Told once, however many are not heard. */
  readonly onFailure: (error: unknown) => void
}

const MOST_WAITING = 1_000
const POST_TIMEOUT_MS = 2_000
/** At the end, for all that is still to be told. */
const LAST_WORDS_MS = 2_000

/** @throws INVALID_ARGUMENT when it is no http URL */
export function monitoringUrl(given: string | true): URL {
  const text = given === true ? DASHBOARD : given
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  throw new DuologError('INVALID_ARGUMENT', `monitoring: "${text}" is no URL such as ${DASHBOARD}`)
}

/** Posts coordination events to the host's dashboard, in order. A dashboard that is away or slow costs the session nothing. */
export class MonitoringPosts {
  readonly #options: MonitoringPostsOptions
  readonly #waiting: string[] = []
  readonly #stop = new AbortController()
  #posting: Promise<void> | undefined
  #hasFailed = false

  constructor(options: MonitoringPostsOptions) {
    this.#options = options
  }

  /** Of more than 1,000 that wait the oldest are left out. */
  send(event: CoordinationEvent, session: PostedSession): void {
    this.#waiting.push(JSON.stringify(bodyOf(event, session)))
    if (this.#waiting.length > MOST_WAITING) this.#waiting.shift()
    this.#posting ??= this.#postAll().finally(() => {
      this.#posting = undefined
    })
  }

  /** Waits a moment for what is still to be told. Never rejects. */
  async close(): Promise<void> {
    const timer = setTimeout(() => this.#stop.abort(), LAST_WORDS_MS)
    await this.#posting
    clearTimeout(timer)
  }

  async #postAll(): Promise<void> {
    for (let body = this.#waiting.shift(); body !== undefined; body = this.#waiting.shift()) {
      if (this.#stop.signal.aborted) return
      await this.#post(body).catch((error: unknown) => this.#failed(error))
    }
  }

  async #post(body: string): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(POST_TIMEOUT_MS)])
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(this.#options.url, { method: 'POST', headers, body, signal })
    await answer.body?.cancel()
    if (!answer.ok) throw new Error(`${this.#options.url} answered ${answer.status}`)
  }

  #failed(error: unknown): void {
    if (!this.#hasFailed) this.#options.onFailure(error)
    this.#hasFailed = true
  }
}

function bodyOf({ type, agentRole, data, timestamp }: CoordinationEvent, session: PostedSession): object {
  return {
    agentType: agentRole,
    messageType: 'coordination_event',
    message: type,
    metadata: { eventType: type, eventData: data, timestamp, coordinationType: 'SDK_BASED' },
    sessionInfo: session,
  }
}
