import { type Command, Option } from 'commander'
import { sessionStateBefore } from '../../agents/fold-session.ts'
import { sessionNotFound } from '../../agents/read-sessions.ts'
import { evolveSession, initialSessionState } from '../../agents/session/evolve.ts'
import type { SessionEvent } from '../../agents/session/schemas.ts'
import { isEnded, isOpen, openCalls, type SessionState } from '../../agents/session/state.ts'
import { DuologError } from '../../core/errors.ts'
import type { RecordedEvent } from '../../core/event.ts'
import type { EventStore } from '../../store/event-store.ts'
import { subscribe } from '../../store/subscribe.ts'
import { type AllEventsFlags, allEvents } from '../all-events.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { wholeNumber } from '../flag-values.ts'
import { onInterrupt } from '../interrupt.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { printEvent } from '../print-event.ts'
import { SESSION_ID, sessionNamed } from '../session-named.ts'

type EventsFlags = LogFlags & AllEventsFlags & { readonly from: number }

const EXAMPLES = `
Examples:
  duolog events 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11
  duolog events 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11 --follow
  duolog events 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11 --json | jq -r .type
  duolog events --follow --type TaskCompleted --type TaskReviewed

Without a session: the events of all of them, each session's in order, one beside the other. A category is what stands
before the first "-" of their names.`

export function addEventsCommand(program: Command): void {
  const command = program
    .command('events')
    .description("print a session's events, or those of all sessions")
    .argument('[session]', SESSION_ID)
    .option('--from <position>', 'of a session: begin with this event', wholeNumber(1), 1)
    .option('--follow', 'go on with new events: until the session has ended, or until Ctrl-C')
    .option('--type <type>', 'only events of this type; may be repeated', collected)
    .addOption(new Option('--category <category>', 'of all sessions: only streams of this category'))
    .addOption(new Option('--after <cursor>', 'of all sessions: go on where an interrupted --follow said'))
  addLogFlags(command, 'one JSON object per line')
    .addHelpText('after', EXAMPLES)
    .action(async (session: string | undefined, flags: EventsFlags) => {
      checkFlags(session, flags)
      process.exitCode = await withLog(flags.log, async (store) =>
        session === undefined ? allEvents(store, flags) : events(store, await sessionNamed(store, session), flags),
      )
    })
}

function collected(type: string, types: readonly string[] = []): readonly string[] {
  return [...types, type]
}

function checkFlags(session: string | undefined, { category, after, from }: EventsFlags): void {
  const flaw =
    session === undefined
      ? from > 1 && '--from counts the events of one session: name it, or use --after with a cursor.'
      : (category ?? after) !== undefined && '--category and --after are for all sessions: leave the session out.'
  if (flaw) throw new DuologError('INVALID_ARGUMENT', flaw)
}

async function events(store: EventStore, session: string, flags: EventsFlags): Promise<ExitCode> {
  const version = await store.waitForVersion(session, 0)
  if (version === 0) throw sessionNotFound(session)
  const interrupt = onInterrupt(() => undefined)
  let state = initialSessionState()
  try {
    for await (const event of subscribe(store, { stream: session, signal: interrupt.signal })) {
      if (event.streamPosition >= flags.from && (flags.type?.includes(event.type) ?? true))
        await printEvent(event, flags)
      if (flags.follow) state = await stateAfter(store, state, event as RecordedEvent<SessionEvent>)
      if (event.streamPosition >= version && (!flags.follow || isOver(state))) return EXIT.completed
    }
    return EXIT.interrupted
  } finally {
    interrupt.release()
  }
}

/** A fork begins with the state of the session it comes from. */
async function stateAfter(store: EventStore, state: SessionState, event: RecordedEvent<SessionEvent>) {
  const before = event.streamPosition === 1 ? await sessionStateBefore(store, event) : state
  return evolveSession(before, event)
}

/** Ended, and everything that still ran has reported. */
function isOver(state: SessionState): boolean {
  return isEnded(state) && openCalls(state, isOpen).length === 0
}
