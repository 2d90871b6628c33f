import { messageOf } from '../core/message-of.ts'
import type { EventStore } from '../store/event-store.ts'
import { pause } from '../store/wake-ups.ts'
import { type EventRow, eventRow } from './event-row.ts'
import type { EventStream } from './event-stream.ts'
import type { SessionFeed } from './session-feed.ts'

/*
 * One page's view of one session.
 *
 * W1 Rows: every event after the position it began with comes once, in order; a message of rows has the position of its
 *    last one as its id, so that a browser that comes back goes on right behind what it has.
 * W2 Pictures are worth only the newest: one is sent when something has changed since the last.
 * W3 What the browser has not taken is not read: a batch of rows at most waits here.
 */

/** How many rows a page that comes without a position begins with; the page shows no more anyway. */
export const SHOWN_ROWS = 500
const BATCH_ROWS = 100
const BATCH_CHARACTERS = 64 * 1024
/** Changes are gathered for so long: five pictures a second are motion enough. */
const GATHER_MS = 200
const KEEP_ALIVE_MS = 15_000

export interface SessionStreamOptions {
  readonly store: EventStore
  readonly feed: SessionFeed
  readonly out: EventStream
  /** Position of the last event the page has. */
  readonly after: number
}

/** Sends what was and what comes, until the browser goes or the feed ends. */
export async function streamSession({ store, feed, out, after }: SessionStreamOptions): Promise<void> {
  let sent = after
  let drawn = -1
  while (!out.signal.aborted) {
    const { generation } = feed.changes
    const { version } = feed
    if (drawn !== version) await sendPicture(feed, out)
    drawn = version
    sent = await sendRows({ store, feed, out, after: sent }, version)
    if (feed.ended) return endWith(feed, out)
    if (sent >= version) await next(feed, out, generation)
    await pause(GATHER_MS, out.signal)
  }
}

async function sendPicture(feed: SessionFeed, out: EventStream): Promise<void> {
  await out.send({ event: 'picture', data: feed.picture() })
  if (feed.unreadable !== undefined) await out.send({ event: 'problem', data: JSON.stringify(feed.unreadable) })
}

/** @returns the position of the last one sent */
async function sendRows({ store, feed, out, after }: SessionStreamOptions, to: number): Promise<number> {
  let sent = after
  let batch: EventRow[] = []
  let characters = 0
  const flush = async () => {
    const last = batch.at(-1)
    if (last === undefined) return
    await out.send({ event: 'rows', id: last.position, data: JSON.stringify(batch) })
    sent = last.position
    batch = []
    characters = 0
  }
  if (after >= to) return sent
  // The feed has seen them in this process: there is nothing to ask the broker.
  for await (const event of store.readStream(feed.sessionId, { from: after + 1, to, consistency: 'eventual' })) {
    const row = eventRow(event)
    batch.push(row)
    characters += row.detail.length
    if (batch.length >= BATCH_ROWS || characters >= BATCH_CHARACTERS) await flush()
    if (out.signal.aborted) return sent
  }
  await flush()
  return sent
}

async function next(feed: SessionFeed, out: EventStream, generation: number): Promise<void> {
  while (!out.signal.aborted && feed.changes.generation === generation) {
    await feed.changes.after(generation, { signal: out.signal, timeoutMs: KEEP_ALIVE_MS })
    if (feed.changes.generation === generation) await out.keepAlive()
  }
}

/** The browser comes again by itself, and is then told what is wrong if it still is. */
async function endWith({ error }: SessionFeed, out: EventStream): Promise<void> {
  if (error === undefined) return
  const text = messageOf(error)
  await out.send({ event: 'problem', data: JSON.stringify(text) })
}
