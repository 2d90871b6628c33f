import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
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
  /** SIGTERM: it gives back what it has begun. */
  leave(): Promise<ServiceEnd>
}

const cache = join(import.meta.dirname, '../../node_modules/.cache/duolog-cli')

/** `dir` holds script.json; executions are noted in journal.jsonl there. */
export function startService(kind: ServiceKind, logUrl: string, dir: string, flags: readonly string[] = []): Service {
  const executor = kind === 'coordinator' || flags.length > 0 ? [] : ['--script', join(dir, 'script.json')]
  const args = [main, kind, '--log', logUrl, '--concurrency', kind === 'manager' ? '4' : '2', ...executor, ...flags]
  const child = spawn(process.execPath, args, {
    cwd: dir,
    env: { ...process.env, NODE_COMPILE_CACHE: cache, DUOLOG_EXECUTOR_JOURNAL: join(dir, 'journal.jsonl') },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
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
    leave: async () => {
      child.kill('SIGTERM')
      const [code, signal] = await closed
      return { code: (code ?? signal ?? '') as number | string, stderr }
    },
  }
}
