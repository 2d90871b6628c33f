import { sessionStateBefore } from '../agents/fold-session.ts'
import type { SessionEvent, SessionEventName } from '../agents/session/schemas.ts'
import { sessionStore } from '../agents/session/session-events.ts'
import type { RecordedEvent } from '../core/event.ts'
import type { EventStore } from '../store/event-store.ts'
import { followStream } from '../store/follow-stream.ts'
import { eventLine } from './event-line.ts'
import type { LiveTree } from './render/live-tree.ts'
import { SessionTree } from './session-tree.ts'

export interface SessionWatchOptions {
  readonly store: EventStore
  readonly sessionId: string
  readonly screen: LiveTree
  /** What happened up to here is not told again. */
  readonly knownVersion: number
}

/** What the tree does not show, and a person should not miss. */
const ABOVE_THE_TREE: ReadonlySet<SessionEventName> = new Set([
  'PlanRejected',
  'AgentCallFailed',
  'AgentCallStalled',
  'AgentCallInDoubt',
  'AgentCallReportRefused',
] as const)

/** Shows on stderr what happens to a session: as a tree on a terminal, elsewhere as lines. */
export class SessionWatch {
  readonly #options: SessionWatchOptions
  readonly #tree: SessionTree
  readonly #stop = new AbortController()
  readonly #asTree = process.stderr.isTTY === true && process.env.TERM !== 'dumb'
  readonly #done: Promise<void>
  #lastVersion = Number.POSITIVE_INFINITY
  #seenVersion = 0

  constructor(options: SessionWatchOptions) {
    this.#options = options
    this.#tree = new SessionTree(options.sessionId, performance.now())
    this.#done = this.#follow()
    // Heard of in finish(); until then it must not count as unhandled.
    this.#done.catch(() => undefined)
  }

  /** What a running call says of itself. */
  progress(callId: string, message: string): void {
    this.#tree.progress(callId, message)
    if (this.#seenVersion > 0) this.#draw()
  }

  /** Shows everything up to `version`. */
  async finish(version: number): Promise<void> {
    this.#lastVersion = version
    if (this.#seenVersion >= version) this.#stop.abort()
    await this.#done
  }

  /** Shows no more; the last picture stays. */
  stop(): void {
    this.#stop.abort()
    this.#options.screen.stop()
  }

  async #follow(): Promise<void> {
    const { store, sessionId } = this.#options
    for await (const event of followStream(sessionStore(store), sessionId, { signal: this.#stop.signal })) {
      if (event.streamPosition === 1) this.#tree.beginWith(await sessionStateBefore(store, event))
      this.#see(event)
      if (event.streamPosition >= this.#lastVersion) return
    }
  }

  #see(event: RecordedEvent<SessionEvent>): void {
    this.#tree.see(event, performance.now())
    this.#seenVersion = event.streamPosition
    this.#tell(event)
    this.#draw()
  }

  #tell(event: RecordedEvent<SessionEvent>): void {
    const { screen, knownVersion } = this.#options
    if (event.streamPosition <= knownVersion || (this.#asTree && !ABOVE_THE_TREE.has(event.type))) return
    const line = eventLine(event)
    if (line !== undefined) screen.print(line)
  }

  #draw(): void {
    if (!this.#asTree || this.#seenVersion < this.#options.knownVersion) return
    this.#options.screen.update(this.#tree.view(performance.now()))
  }
}
