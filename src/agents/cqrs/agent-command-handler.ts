import type * as z from 'zod'
import type { Clock } from '../../core/clock.ts'
import { didYouMean } from '../../core/did-you-mean.ts'
import { DuologError } from '../../core/errors.ts'
import type { EventStore } from '../../store/event-store.ts'
import { aClock, aStore, checkOptions, optional, type Shape } from '../check-options.ts'
import { check } from '../explain-issues.ts'
import type { SessionCommand } from '../session/commands.ts'
import { sessionStore } from '../session/session-events.ts'
import { SessionLog } from '../session-log.ts'
import {
  type AgentCommand,
  type AgentCommandData,
  type AgentCommandName,
  agentCommandSchemas,
  sessionCommands,
} from './agent-commands.ts'

/*
 * Commands to sessions: checked, decided by the session's decider, appended.
 *
 * P5 A command with an id is carried out once: the second time its answer is the first one's, whatever became of the
 *    session meanwhile.
 */

/** What {@link AgentCommandHandler} and `AgentCommandService` take. */
export interface AgentCommandHandlerOptions {
  /** Any backing; it is yours to close. */
  readonly store: EventStore
  /** What time limits go by. Default: the system's. */
  readonly clock?: Clock
}

/** What came of a command. */
export interface CommandAccepted {
  readonly stream: string
  /** The session's version right after the command, or as it is now for a repeat. */
  readonly currentStreamVersion: number
  /** Names of the events it led to; empty when there was nothing to do. */
  readonly events: readonly string[]
  /** A command with this id was carried out before. */
  readonly repeated: boolean
}

const OPTIONS: Shape<AgentCommandHandlerOptions> = { store: aStore, clock: optional(aClock) }

/** Handles commands of outside to sessions, by name. */
export class AgentCommandHandler {
  readonly #store: EventStore
  readonly #sessions: SessionLog

  /** @throws INVALID_ARGUMENT naming the field */
  constructor(options: AgentCommandHandlerOptions) {
    checkOptions('options of AgentCommandHandler', options, OPTIONS)
    const { store, clock } = options
    this.#store = store
    this.#sessions = new SessionLog(sessionStore(store), clock)
  }

  /**
   * @throws INVALID_ARGUMENT naming each field that is wrong; what the session refuses: SESSION_NOT_FOUND, SESSION_EXISTS,
   * SESSION_ENDED, APPROVAL_NOT_FOUND, CALL_NOT_FOUND
   */
  async handle(command: AgentCommand): Promise<CommandAccepted> {
    const { type, ...input } = command
    const { sessionId, commandId, meantFor } = understood(type, input)
    const meant = meantFor(type === 'resumeSession' ? await this.#ownerOf(sessionId) : '')
    if (commandId === undefined) return this.#carryOut(sessionId, meant, {})
    const options = { idempotencyKey: `command:${commandId}`, causationId: commandId }
    try {
      return await this.#carryOut(sessionId, meant, options)
    } catch (error) {
      // Refused now, but perhaps it was carried out before, and the session has gone on since.
      return (await this.#earlier(sessionId, commandId)) ?? Promise.reject(error)
    }
  }

  /** Going on is for who runs it: services do by themselves, a local session's process must be told. */
  async #ownerOf(sessionId: string): Promise<string> {
    const { state } = await this.#sessions.load(sessionId)
    if (state.status === 'unborn' || state.settings.dispatch === 'topics') return state.owner
    const advice = 'resume it with a coordinator (`duolog resume`), which runs it.'
    throw new DuologError('INVALID_ARGUMENT', `resumeSession: session "${sessionId}" is run by one process: ${advice}`)
  }

  async #carryOut(stream: string, command: SessionCommand, options: object): Promise<CommandAccepted> {
    const { version, events } = await this.#sessions.handle(stream, command, options)
    const done = { stream, currentStreamVersion: version, events: events.map(({ type }) => type) }
    if (events.length > 0 || !('causationId' in options)) return { ...done, repeated: false }
    return (await this.#earlier(stream, String(options.causationId))) ?? { ...done, repeated: false }
  }

  async #earlier(stream: string, commandId: string): Promise<CommandAccepted | undefined> {
    const events: string[] = []
    let currentStreamVersion = 0
    for await (const event of this.#store.readStream(stream)) {
      currentStreamVersion = event.streamPosition
      if (event.causationId === commandId) events.push(event.type)
    }
    return events.length === 0 ? undefined : { stream, currentStreamVersion, events, repeated: true }
  }
}

interface Understood {
  readonly sessionId: string
  readonly commandId: string | undefined
  readonly meantFor: (sessionOwner: string) => SessionCommand
}

function understood<Name extends AgentCommandName>(type: Name, input: object): Understood {
  if (!Object.hasOwn(agentCommandSchemas, type)) {
    const hint = didYouMean(String(type), Object.keys(agentCommandSchemas))
    throw new DuologError('INVALID_ARGUMENT', `type: there is no command "${type}".${hint}`)
  }
  const schema: z.ZodType<AgentCommandData[Name]> = agentCommandSchemas[type] as never
  const checked = check(schema, input)
  if (!checked.ok) throw new DuologError('INVALID_ARGUMENT', `${type}: ${checked.errors.join('; ')}`)
  const data = checked.value
  const { sessionId, commandId } = data
  return { sessionId, commandId, meantFor: (owner) => sessionCommands[type](data, owner) }
}
