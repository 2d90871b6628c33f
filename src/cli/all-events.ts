import type { EventStore } from '../store/event-store.ts'
import { type SubscribeOptions, subscribe } from '../store/subscribe.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { onInterrupt } from './interrupt.ts'
import { printEvent } from './print-event.ts'

/** Of every session of the log, or of some of them. */
export interface AllEventsFlags {
  readonly json?: true
  readonly follow?: true
  readonly category?: string
  readonly type?: readonly string[]
  readonly after?: string
}

/** History, and with --follow what comes, until Ctrl-C; says then where to go on. */
export async function allEvents(store: EventStore, flags: AllEventsFlags): Promise<ExitCode> {
  const interrupt = onInterrupt(() => undefined)
  const end = new AbortController()
  const { category, type: types, after: from } = flags
  const selection: SubscribeOptions = { ...(category && { category }), ...(types && { types }), from }
  const live = subscribe(store, {
    ...selection,
    signal: AbortSignal.any([interrupt.signal, end.signal]),
    onCaughtUp: () => (flags.follow ? undefined : end.abort()),
  })
  try {
    for await (const event of live) await printEvent(event, { json: flags.json, showStream: true })
    if (!interrupt.signal.aborted) return EXIT.completed
    if (live.cursor !== undefined) process.stderr.write(`duolog: go on from here with: --after ${live.cursor}\n`)
    return EXIT.interrupted
  } finally {
    interrupt.release()
  }
}
