import type { Clock } from '../core/clock.ts'
import type { Presence } from '../store/event-store.ts'
import { pauseBy } from '../store/wake-ups.ts'
import type { CallState } from './session/state.ts'
import type { SessionLog } from './session-log.ts'

/*
 * Claims for agents outside this package, which cannot say themselves that they are alive: this process says it for them,
 * until their response is here, the call's time is over, or it ends itself. After that they count as dead, and the
 * session's policy goes on.
 */

export interface OutsideClaimsOptions {
  readonly sessions: SessionLog
  readonly presence: Presence
  readonly clock: Clock
}

export class OutsideClaims {
  readonly #options: OutsideClaimsOptions
  readonly #leases = new Map<string, { readonly release: AbortController; readonly over: Promise<void> }>()

  constructor(options: OutsideClaimsOptions) {
    this.#options = options
  }

  /** Nothing when the call is not to be had. The owner is announced before it claims: it is never taken for dead between. */
  async claim(sessionId: string, callId: string, owner: string): Promise<{ epoch: number } | undefined> {
    const { sessions, presence } = this.#options
    const announcement = await presence.announce(owner)
    try {
      const { state } = await sessions.handle(sessionId, { kind: 'claim', callId, owner })
      const call = state.calls.get(callId)
      if (call?.status !== 'claimed' || call.owner !== owner) return undefined
      this.#hold(keyOf(sessionId, callId, call.epoch), call, await presence.announce(owner))
      return { epoch: call.epoch }
    } finally {
      await announcement.withdraw()
    }
  }

  /** Its response is here. */
  async release(sessionId: string, callId: string, epoch: number): Promise<void> {
    await this.#end([keyOf(sessionId, callId, epoch)])
  }

  async close(): Promise<void> {
    await this.#end([...this.#leases.keys()])
  }

  /** Claimed again by the same owner it is held once. */
  #hold(key: string, { timeoutMs }: CallState, announcement: { withdraw(): Promise<void> }): void {
    this.#leases.get(key)?.release.abort()
    const release = new AbortController()
    const over = pauseBy(this.#options.clock, timeoutMs, release.signal).then(async () => {
      if (this.#leases.get(key)?.release === release) this.#leases.delete(key)
      await announcement.withdraw().catch(() => undefined)
    })
    this.#leases.set(key, { release, over })
  }

  async #end(keys: readonly string[]): Promise<void> {
    const ending = keys.flatMap((key) => this.#leases.get(key) ?? [])
    for (const { release } of ending) release.abort()
    await Promise.all(ending.map(({ over }) => over))
  }
}

function keyOf(sessionId: string, callId: string, epoch: number): string {
  return [sessionId, callId, epoch].join('\n')
}
