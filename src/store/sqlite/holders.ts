import type { Liveness } from '../event-store.ts'
import type { HolderFile, HolderFolder } from './holder-file.ts'

/*
 * Which processes live. Death is known at once, by the lock. A frozen process keeps its lock: it counts as dead when it
 * has said nothing for the lease time, measured by watching it, so that a machine that slept, a clock that was set or a
 * watcher that was itself frozen condemns nobody.
 */

export interface Holders {
  /** This process's own id; it counts as living from then on until `release`. */
  own(): string
  liveness(holder: string): Liveness
  release(): void
}

interface Watched {
  touchedAtMs: number
  silentMs: number
}

export function holders(folder: HolderFolder, leaseMs: number): Holders {
  const beatMs = Math.max(10, Math.min(1000, leaseMs / 4))
  const watched = new Map<string, Watched>()
  let file: HolderFile | undefined
  let timer: ReturnType<typeof setInterval> | undefined
  let lastBeatMs = 0

  /** A beat that comes late (the machine slept, this process hung) counts as two at most. */
  function beat(): void {
    const nowMs = performance.now()
    const passedMs = Math.min(nowMs - lastBeatMs, 2 * beatMs)
    lastBeatMs = nowMs
    file?.touch()
    for (const [id, watch] of watched) look(id, watch, passedMs)
  }

  function look(id: string, watch: Watched, passedMs: number): void {
    const touchedAtMs = folder.touchedAtMs(id)
    if (touchedAtMs === undefined) watched.delete(id)
    else if (touchedAtMs === watch.touchedAtMs) watch.silentMs += passedMs
    else watched.set(id, { touchedAtMs, silentMs: 0 })
  }

  function startBeating(): void {
    if (timer !== undefined) return
    lastBeatMs = performance.now()
    timer = setInterval(beat, beatMs)
    timer.unref()
  }

  function watch(id: string, touchedAtMs: number): Watched {
    startBeating()
    const known = watched.get(id) ?? { touchedAtMs, silentMs: 0 }
    watched.set(id, known)
    return known
  }

  function verdictByTime(id: string): Liveness {
    const touchedAtMs = folder.touchedAtMs(id)
    if (touchedAtMs === undefined) return 'dead'
    const { silentMs, touchedAtMs: seenAtMs } = watch(id, touchedAtMs)
    if (touchedAtMs === seenAtMs && silentMs >= leaseMs) return 'dead'
    return Date.now() - touchedAtMs <= leaseMs ? 'alive' : 'unknown'
  }

  return {
    own() {
      if (file === undefined) {
        folder.sweep()
        file = folder.hold()
        file.touch()
        startBeating()
      }
      return file.id
    },
    liveness(holder) {
      if (holder === file?.id) return 'alive'
      return folder.isHeld(holder) ? verdictByTime(holder) : 'dead'
    },
    release() {
      clearInterval(timer)
      timer = undefined
      file?.release()
      file = undefined
    },
  }
}
