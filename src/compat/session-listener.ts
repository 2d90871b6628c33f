import { sessionStateBefore } from '../agents/fold-session.ts'
import { followSession } from '../agents/follow-session.ts'
import type { SessionEvent } from '../agents/session/schemas.ts'
import type { RecordedEvent } from '../core/event.ts'
import type { EventStore } from '../store/event-store.ts'
import { HostPicture } from './host-picture.ts'
import type { Told } from './host-scene.ts'

export interface SessionListenerOptions {
  readonly store: EventStore
  readonly sessionId: string
  /** What happened up to here is taken in, and not told again. */
  readonly knownVersion: number
  readonly onEvent: (picture: HostPicture, event: RecordedEvent<SessionEvent>) => void
  readonly tell: (told: Told, picture: HostPicture) => void
}

/** Follows a session in the log and tells what happens as the host knows it. */
export class SessionListener {
  readonly #options: SessionListenerOptions
  readonly #stop = new AbortController()
  readonly #done: Promise<void>
  #picture: HostPicture | undefined
  #lastVersion = Number.POSITIVE_INFINITY

  constructor(options: SessionListenerOptions) {
    this.#options = options
    this.#done = this.#follow()
    // Heard of in finish(); until then it must not count as unhandled.
    this.#done.catch(() => undefined)
  }

  /** Resolves when everything up to `version` has been told. */
  async finish(version: number): Promise<void> {
    this.#lastVersion = version
    if ((this.#picture?.version ?? 0) >= version) this.#stop.abort()
    await this.#done
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#done.catch(() => undefined)
  }

  async #follow(): Promise<void> {
    const { store, sessionId } = this.#options
    for await (const event of followSession(store, sessionId, { signal: this.#stop.signal })) {
      this.#picture ??= new HostPicture(sessionId, await sessionStateBefore(store, event))
      this.#see(this.#picture, event)
      if (event.streamPosition >= this.#lastVersion) return
    }
  }

  #see(picture: HostPicture, event: RecordedEvent<SessionEvent>): void {
    const told = picture.see(event)
    this.#options.onEvent(picture, event)
    if (event.streamPosition <= this.#options.knownVersion) return
    for (const each of told) this.#options.tell(each, picture)
  }
}
