import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { main } from '../cli/duolog.ts'

/* One `duolog coordinator`, `manager` or `worker`, as a process of its own. */

export type ServiceKind = 'coordinator' | 'manager' | 'worker'

export interface ServiceEnd {
  readonly code: number | string
  readonly stderr: string
}

export interface Service {
  readonly kind: ServiceKind
  readonly pid: number
  /** Rejects when it ends before. */
  readonly ready: Promise<void>
  kill(): Promise<void>
  /** SIGSTOP: it hangs, and holds what it has; SIGCONT: it goes on as if nothing had been. */
  freeze(): void
  thaw(): void
  /** SIGTERM: it gives back what it has begun. */
  leave(): Promise<ServiceEnd>
}

const cache = join(import.meta.dirname, '../../node_modules/.cache/duolog-cli')

/** The real command in `dir`; its scripted executions are noted in journal.jsonl there. */
export function spawnDuolog(args: readonly string[], dir: string): ChildProcessByStdio<null, null, Readable> {
  return spawn(process.execPath, [main, ...args], {
    cwd: dir,
    env: { ...process.env, NODE_COMPILE_CACHE: cache, DUOLOG_EXECUTOR_JOURNAL: join(dir, 'journal.jsonl') },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
}

/** Without an executor of its own it plays script.json in `dir`, as it is now. */
export function startService(kind: ServiceKind, logUrl: string, dir: string, given: readonly string[] = []): Service {
  const scripted = kind === 'coordinator' ? [] : ['--script', join(dir, 'script.json')]
  const executor = given.length > 0 ? given : scripted
  const concurrency = kind === 'manager' ? '4' : '2'
  const child = spawnDuolog([kind, '--log', logUrl, '--concurrency', concurrency, ...executor], dir)
  let stderr = ''
  const closed = once(child, 'close')
  const ready = new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
      if (stderr.includes(': ready')) resolve()
    })
    void closed.then(() => reject(new Error(`A ${kind} ended before it was ready:\n${stderr}`)))
  })
  ready.catch(() => {})
  return {
    kind,
    pid: child.pid ?? -1,
    ready,
    kill: async () => {
      child.kill('SIGKILL')
      await closed
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    leave: async () => {
      child.kill('SIGTERM')
      const [code, signal] = await closed
      return { code: (code ?? signal ?? '') as number | string, stderr }
    },
  }
}
