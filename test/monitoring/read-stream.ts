import { type IncomingMessage, request } from 'node:http'
import { vi } from 'vitest'
import type { EventRow } from '../../src/monitoring/event-row.ts'
import type { SessionPicture } from '../../src/monitoring/session-picture.ts'

/* A reader of Server-Sent Events that shows what came, as it came. */

export interface Reply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

/** One request, with any headers: fetch would not let a test lie about its host. */
export async function ask(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Reply> {
  const response = await open(url, headers, method)
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return { status: response.statusCode ?? 0, headers: response.headers, text }
}

function open(url: string, headers: Record<string, string>, method = 'GET'): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(url, { headers, method, agent: false }, resolve).once('error', reject).end()
  })
}

export interface StreamReader {
  readonly status: number
  readonly ids: number[]
  readonly rows: EventRow[]
  readonly pictures: SessionPicture[]
  readonly problems: string[]
  readonly ended: boolean
  /** Stops and goes on taking what comes. */
  pause(): void
  resume(): void
  close(): void
  /** Resolves when the row of that position is there. */
  reaches(position: number): Promise<void>
}

export async function readStream(url: string, headers: Record<string, string> = {}): Promise<StreamReader> {
  const response = await open(url, headers)
  const seen = {
    ids: [] as number[],
    rows: [] as EventRow[],
    pictures: [] as SessionPicture[],
    problems: [] as string[],
  }
  let ended = false
  let rest = ''
  response.setEncoding('utf8').on('data', (chunk: string) => {
    const blocks = (rest + chunk).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) take(block, seen)
  })
  response.on('close', () => {
    ended = true
  })
  response.on('error', () => undefined)
  return {
    status: response.statusCode ?? 0,
    ...seen,
    get ended() {
      return ended
    },
    pause: () => response.pause(),
    resume: () => response.resume(),
    close: () => response.destroy(),
    reaches: (position) =>
      vi.waitFor(() => {
        const last = seen.rows.at(-1)?.position ?? 0
        if (last < position) throw new Error(`only event ${last} of ${position} has come`)
      }, 20_000),
  }
}

function take(block: string, seen: Pick<StreamReader, 'ids' | 'rows' | 'pictures' | 'problems'>): void {
  const fields = new Map(
    block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  )
  const event = fields.get('event')
  if (event === undefined) return
  const data = JSON.parse(fields.get('data') ?? 'null')
  if (fields.has('id')) seen.ids.push(Number(fields.get('id')))
  if (event === 'rows') seen.rows.push(...data)
  if (event === 'picture') seen.pictures.push(data)
  if (event === 'problem') seen.problems.push(data)
}
