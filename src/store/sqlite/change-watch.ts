import type { DatabaseSync } from 'node:sqlite'

/*
 * Hears of what other processes append. SQLite has no message for that, but `PRAGMA data_version` costs a few
 * microseconds and changes exactly when somebody else committed; it is asked only while somebody waits for something.
 */

/**
 * Half of it is what a wake-up across processes takes on average; a cancelled call has to end within a second
 * (process-group.ts). What it costs: docs/internals/file-store.md.
 */
export const POLL_MS = 10

export interface ChangeWatch {
  /** Keeps watching, and the process alive, until the returned function is called. */
  hold(): () => void
  stop(): void
}

export function changeWatch(db: DatabaseSync, onChange: () => void): ChangeWatch {
  const dataVersion = db.prepare('PRAGMA data_version')
  let seen: unknown
  let holders = 0
  let timer: ReturnType<typeof setInterval> | undefined

  /** Whoever waits again and again finds it running: a timer costs more than what it looks for. */
  function look(): void {
    if (holders === 0) {
      stop()
      return
    }
    const version = read(seen)
    if (version === seen) return
    seen = version
    onChange()
  }

  /** A lock in the way (rare: another process repairs its log) is no news. */
  function read(fallback: unknown): unknown {
    try {
      return dataVersion.get()?.data_version
    } catch {
      return fallback
    }
  }

  function stop(): void {
    clearInterval(timer)
    timer = undefined
  }

  return {
    hold() {
      holders++
      if (timer === undefined) {
        // Not from `seen`: what was committed before the first look is for the one who holds to see.
        seen = read(undefined)
        timer = setInterval(look, POLL_MS)
      } else if (holders === 1) timer.ref()
      let held = true
      return () => {
        if (held && --holders === 0) timer?.unref()
        held = false
      }
    },
    stop,
  }
}
