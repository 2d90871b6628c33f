/*
 * A started process leads a group of its own; ending the run means ending the group.
 *
 * A cancelled call is gone, with all it started, within GONE_WITHIN_MS of the recorded cancel. What that time is spent on
 * is fixed by constants: the log is looked at (every 10 ms on a file, by a poll of 200 ms at most on Kafka), then
 * KILL_GRACE_MS, then one look more at who is left. Together 620 ms; the rest is for loads and kills. A test adds them up.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'

export const GONE_WITHIN_MS = 1_000
/** Between SIGTERM and SIGKILL, where nothing else was asked for. */
export const KILL_GRACE_MS = 400
/** How often it is looked whether anybody is left. */
export const LOOK_MS = 20

/** SIGTERM to the whole group, then SIGKILL to whoever is left after `graceMs`. Resolves when both are done. */
export async function endGroup(groupId: number, graceMs: number): Promise<void> {
  if (!signalGroup(groupId, 'SIGTERM')) return
  const giveUpAt = performance.now() + graceMs
  while (performance.now() < giveUpAt) {
    await delay(LOOK_MS)
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
sleep ${KILL_GRACE_MS / 1000} 2>/dev/null || sleep 1
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
