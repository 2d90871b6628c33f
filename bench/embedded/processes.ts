import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { openOurs } from './ours.ts'

interface Hammer {
  readonly acknowledged: readonly string[]
  readonly failed: boolean
}

interface HammerOptions {
  readonly path: string
  readonly name: string
  readonly callers: number
  readonly appends: number
  /** Kills it with SIGKILL as soon as that many appends were acknowledged. */
  readonly killAfter?: number
}

function hammer({ path, name, callers, appends, killAfter }: HammerOptions): Promise<Hammer> {
  const program = fileURLToPath(new URL('./hammer-program.ts', import.meta.url))
  const child = spawn(process.execPath, [program, path, name, String(callers), String(appends)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const chunks: string[] = []
  let acknowledged = 0
  child.stdout.on('data', (chunk: Buffer) => {
    const text = chunk.toString()
    chunks.push(text)
    acknowledged += text.split('\n').length - 1
    if (killAfter !== undefined && acknowledged >= killAfter) child.kill('SIGKILL')
  })
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      const lines = chunks.join('').split('\n').slice(0, -1)
      resolve({ acknowledged: lines, failed: signal === null && code !== 0 })
    })
  })
}

async function missing(path: string, ids: readonly string[]): Promise<number> {
  const ours = await openOurs(path)
  const found = new Set<string>()
  for await (const { stream } of ours.store.listStreams()) {
    for await (const { data } of ours.store.readStream(stream)) found.add((data as { id: string }).id)
  }
  await ours.close()
  return ids.filter((id) => !found.has(id)).length
}

/** Two processes at once on one file; how many failed, and how many acknowledged appends are not there. */
export async function shareOneFile(path: string): Promise<{ readonly errors: number; readonly missing: number }> {
  const load = { path, callers: 8, appends: 250 }
  const hammers = await Promise.all(['a', 'b'].map((name) => hammer({ ...load, name })))
  const acknowledged = hammers.flatMap((one) => one.acknowledged)
  const unheard = hammers.length * load.callers * load.appends - acknowledged.length
  const errors = hammers.filter(({ failed }) => failed).length + unheard
  return { errors, missing: await missing(path, acknowledged) }
}

/** 50 callers killed with SIGKILL in full flight: how many acknowledged appends are not there. */
export async function lostAfterKill(path: string): Promise<{ readonly acknowledged: number; readonly lost: number }> {
  const { acknowledged } = await hammer({ path, name: 'k', callers: 50, appends: 100_000, killAfter: 5_000 })
  return { acknowledged: acknowledged.length, lost: await missing(path, acknowledged) }
}
