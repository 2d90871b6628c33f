/*
 * A started process leads a group of its own; ending the run means ending the group.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 20

/** SIGTERM to the whole group, then SIGKILL to whoever is left after `graceMs`. Resolves when both are done. */
export async function endGroup(groupId: number, graceMs: number): Promise<void> {
  if (!signalGroup(groupId, 'SIGTERM')) return
  const giveUpAt = performance.now() + graceMs
  while (performance.now() < giveUpAt) {
    await delay(POLL_MS)
    if (!signalGroup(groupId, 0)) return
  }
  signalGroup(groupId, 'SIGKILL')
}

/** False when nobody is left in the group. */
function signalGroup(groupId: number, signal: NodeJS.Signals | 0): boolean {
  try {
    // Windows has no groups: there only the process itself is ended.
    return process.kill(process.platform === 'win32' ? groupId : -groupId, signal)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Its first line means all is well; the end of its input without one means that we are dead. */
const WATCHDOG = `read -r released && exit
kill -s TERM -- "-$1" 2>/dev/null
sleep 0.4 2>/dev/null || sleep 1
kill -s KILL -- "-$1" 2>/dev/null`

/**
 * Ends the group when this process dies without doing so itself (kill -9): a small shell in a session of its own waits
 * for the end of its input. Returns how to send it home. Where there is no /bin/sh, nobody watches.
 */
export function watchGroup(groupId: number): () => void {
  if (process.platform === 'win32') return () => undefined
  const watchdog = spawn('/bin/sh', ['-c', WATCHDOG, 'duolog-watchdog', String(groupId)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: process.env.PATH },
    cwd: '/',
  })
  quiet(watchdog)
  return () => watchdog.stdin?.end('released\n')
}

/** Neither keeps us alive nor fails the run. */
function quiet(watchdog: ChildProcess): void {
  watchdog.on('error', () => undefined)
  watchdog.stdin?.on('error', () => undefined)
  watchdog.unref()
  ;(watchdog.stdin as unknown as { unref?(): void } | null)?.unref?.()
}
