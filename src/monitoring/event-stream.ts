import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { invalidArgument } from '../store/check-arguments.ts'

/*
 * Server-Sent Events: text lines over one answer that does not end. The browser reconnects by itself and says with
 * Last-Event-ID what it had last.
 */

/** How long a browser waits before it connects again. */
const RETRY_MS = 1000

export interface Message {
  readonly event: string
  /** One line, such as JSON. */
  readonly data: string
  /** Where to go on after this message. */
  readonly id?: number
}

/** An open answer. Who reads slowly makes the sender wait: nothing gathers here but what one message holds. */
export class EventStream {
  /** Fires when the browser has gone. */
  readonly signal: AbortSignal
  readonly #response: ServerResponse

  constructor(response: ServerResponse, stop: AbortSignal) {
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    response.on('error', () => gone.abort())
    this.#response = response
    this.signal = AbortSignal.any([gone.signal, stop])
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' })
    response.write(`retry: ${RETRY_MS}\n\n`)
  }

  async send({ event, data, id }: Message): Promise<void> {
    await this.#write(`event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`)
  }

  /** A comment: tells a line in between that there is somebody. */
  async keepAlive(): Promise<void> {
    await this.#write(': still here\n\n')
  }

  end(): void {
    this.#response.end()
  }

  async #write(text: string): Promise<void> {
    if (this.signal.aborted || this.#response.write(text)) return
    // Given up by the signal, which whoever sends looks at next.
    await once(this.#response, 'drain', { signal: this.signal }).catch(() => undefined)
  }
}

/** @throws INVALID_ARGUMENT when it is there and is no position */
export function positionIn(name: string, text: string | null | undefined): number | undefined {
  if (text === null || text === undefined || text === '') return undefined
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw invalidArgument(
    `${name} must be the position of an event (a whole number from 0), got ${JSON.stringify(text)}.`,
  )
}
