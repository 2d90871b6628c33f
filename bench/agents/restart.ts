import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/* Processes that are killed and begun again. They run the built package, as a user's would. */

interface Run {
  readonly child: ChildProcess
  /** Calls as they began, with the time this process heard of it. */
  readonly begun: { readonly callId: string; readonly atMs: number }[]
  until(test: () => boolean): Promise<void>
  kill(): Promise<void>
}

export function buildPackage(): void {
  const script = fileURLToPath(new URL('../../scripts/build-if-older.ts', import.meta.url))
  const { status } = spawnSync(process.execPath, [script], { stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) throw new Error('The package could not be built')
}

function start(url: string, options: { readonly workItems?: number; readonly delayMs?: number } = {}): Run {
  const program = fileURLToPath(new URL('./session-program.ts', import.meta.url))
  const { workItems = 0, delayMs = 0 } = options
  const child = spawn(process.execPath, [program, url, String(workItems), String(delayMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const begun: Run['begun'] = []
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  let rest = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop() ?? ''
    for (const callId of lines) begun.push({ callId, atMs: performance.now() })
  })
  const until = (test: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      const look = () => test() && resolve()
      child.stdout.on('data', look)
      child.once('exit', () => (test() ? resolve() : reject(new Error('The process ended before it came so far'))))
      look()
    })
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
  }
  return { child, begun, until, kill }
}

const WORK_ITEMS = 4_000

export interface Restarted {
  /** From the kill to the first call that had not been begun before it. */
  readonly msToNextStep: number
  /** Calls begun in the first life. */
  readonly steps: number
  /** Calls made again because their outcome was in doubt. */
  readonly again: number
}

/** A session killed in the midst of its n-th call and begun again at once, in a new process, with no setting. */
export async function killAndRestart(url: string, steps: number): Promise<Restarted> {
  const first = start(url, { workItems: WORK_ITEMS, delayMs: steps < 100 ? 5 : 0 })
  await first.until(() => first.begun.length >= steps)
  const killedAtMs = performance.now()
  await first.kill()
  const known = new Set(first.begun.map(({ callId }) => callId))
  const isNew = (callId: string) => !known.has(callId.replace(/~.*/, ''))
  const second = start(url)
  await second.until(() => second.begun.some(({ callId }) => isNew(callId)))
  const next = second.begun.findIndex(({ callId }) => isNew(callId))
  await second.kill()
  return { msToNextStep: second.begun[next]!.atMs - killedAtMs, steps: first.begun.length, again: next }
}
