import type { Command } from 'commander'
import { sessionNotFound } from '../../agents/read-sessions.ts'
import { evolveSession, initialSessionState } from '../../agents/session/evolve.ts'
import type { SessionEvent } from '../../agents/session/schemas.ts'
import { isEnded, isOpen, openCalls, type SessionState } from '../../agents/session/state.ts'
import type { RecordedEvent } from '../../core/event.ts'
import type { EventStore } from '../../store/event-store.ts'
import { followStream } from '../../store/follow-stream.ts'
import { shortData } from '../event-data.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { onInterrupt } from '../interrupt.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { printLines } from '../output.ts'
import { truncate } from '../render/width.ts'
import { wholeNumber } from '../settings-flags.ts'

type EventsFlags = LogFlags & { readonly from: number; readonly follow?: true }

const EXAMPLES = `
Examples:
  duolog events 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11
  duolog events 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11 --follow
  duolog events 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11 --json | jq -r .type`

export function addEventsCommand(program: Command): void {
  const command = program
    .command('events')
    .description("print a session's events")
    .argument('<session>', 'its id')
    .option('--from <position>', 'begin with this event', wholeNumber(1), 1)
    .option('--follow', 'go on with new events until the session has ended')
  addLogFlags(command, 'one JSON object per line')
    .addHelpText('after', EXAMPLES)
    .action(async (session: string, flags: EventsFlags) => {
      process.exitCode = await withLog(flags.log, (store) => events(store, session, flags))
    })
}

async function events(store: EventStore, session: string, flags: EventsFlags): Promise<ExitCode> {
  const version = await store.waitForVersion(session, 0)
  if (version === 0) throw sessionNotFound(session)
  const interrupt = onInterrupt(() => undefined)
  let state = initialSessionState()
  try {
    for await (const event of followStream(store, session, { signal: interrupt.signal })) {
      if (event.streamPosition >= flags.from) await print(event, flags)
      if (flags.follow) state = evolveSession(state, event as RecordedEvent<SessionEvent>)
      if (event.streamPosition >= version && (!flags.follow || isOver(state))) return EXIT.completed
    }
    return EXIT.interrupted
  } finally {
    interrupt.release()
  }
}

/** Ended, and everything that still ran has reported. */
function isOver(state: SessionState): boolean {
  return isEnded(state) && openCalls(state, isOpen).length === 0
}

/** As it was stored: also what only another version of the package understands. */
function print(event: RecordedEvent, flags: EventsFlags): Promise<void> {
  if (flags.json) return printLines([JSON.stringify(event)])
  const { streamPosition, timestamp, type, data } = event
  const line = `${String(streamPosition).padStart(4)}  ${timestamp}  ${type.padEnd(22)}  ${shortData(data)}`
  return printLines([process.stdout.isTTY ? truncate(line, process.stdout.columns || 80) : line])
}
