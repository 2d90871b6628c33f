/*
 * The connection to one session. The browser reconnects by itself and names the last position it has; a page nobody sees
 * holds no connection for long, since a browser has six of them for one server.
 */

const HIDDEN_MS = 30_000
const TRY_AGAIN_MS = 3000

/**
 * @typedef {import('../event-row.ts').EventRow} EventRow
 * @typedef {import('../session-picture.ts').SessionPicture} SessionPicture
 * @typedef {'connecting' | 'live' | 'reconnecting' | 'resting' | 'stopped'} ConnectionState
 * @typedef {{
 *   picture(picture: SessionPicture): void,
 *   rows(rows: readonly EventRow[]): void,
 *   problem(text: string | undefined): void,
 *   state(state: ConnectionState): void,
 * }} SessionListener
 */

/** @param {string} sessionId @param {SessionListener} listener */
export function followSession(sessionId, listener) {
  const follower = new Follower(`/api/sessions/${encodeURIComponent(sessionId)}/events`, listener)
  follower.open()
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let resting
  document.addEventListener('visibilitychange', () => {
    clearTimeout(resting)
    if (document.visibilityState === 'visible') follower.open()
    else resting = setTimeout(() => follower.rest(), HIDDEN_MS)
  })
}

class Follower {
  #path
  #listener
  /** @type {EventSource | undefined} */
  #source
  /** @type {number | undefined} */
  #last
  #stopped = false

  /** @param {string} path @param {SessionListener} listener */
  constructor(path, listener) {
    this.#path = path
    this.#listener = listener
  }

  open() {
    if (this.#source !== undefined || this.#stopped) return
    const source = new EventSource(this.#url())
    this.#source = source
    source.addEventListener('open', () => {
      this.#listener.problem(undefined)
      this.#listener.state('live')
    })
    source.addEventListener('picture', ({ data }) => this.#listener.picture(JSON.parse(data)))
    source.addEventListener('problem', ({ data }) => this.#listener.problem(JSON.parse(data)))
    source.addEventListener('rows', ({ data }) => this.#take(JSON.parse(data)))
    source.addEventListener('error', () => {
      if (source.readyState === EventSource.CONNECTING) return this.#listener.state('reconnecting')
      this.#close()
      void this.#explain()
    })
  }

  /** Until somebody looks again. */
  rest() {
    if (this.#stopped) return
    this.#close()
    this.#listener.state('resting')
  }

  #url() {
    return this.#last === undefined ? this.#path : `${this.#path}?after=${this.#last}`
  }

  #close() {
    this.#source?.close()
    this.#source = undefined
  }

  /** @param {readonly EventRow[]} rows */
  #take(rows) {
    const fresh = rows.filter(({ position }) => this.#last === undefined || position > this.#last)
    const first = fresh[0]
    if (first === undefined) return
    if (this.#last !== undefined && first.position !== this.#last + 1)
      this.#listener.problem(`Events ${this.#last + 1} to ${first.position - 1} did not arrive.`)
    this.#last = fresh.at(-1)?.position
    this.#listener.rows(fresh)
  }

  /** An EventSource does not tell why it was refused. */
  async #explain() {
    const asked = new AbortController()
    try {
      const answer = await fetch(this.#url(), { signal: asked.signal })
      if (!answer.ok) this.#listener.problem((await answer.text()).trim())
      this.#stopped = answer.status >= 400 && answer.status < 500
    } catch {
      this.#listener.problem(undefined)
    }
    asked.abort()
    this.#listener.state(this.#stopped ? 'stopped' : 'reconnecting')
    if (!this.#stopped) setTimeout(() => this.open(), TRY_AGAIN_MS)
  }
}
