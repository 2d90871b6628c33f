import { AgentCommandHandler, type AgentCommandHandlerOptions, type CommandAccepted } from './agent-command-handler.ts'
import type { AgentCommandInput } from './agent-commands.ts'

/**
 * Commands to sessions as methods. Each is checked by zod, and with a `commandId` carried out once; the agents' services
 * do the work that follows. Errors: see {@link AgentCommandHandler.handle}.
 */
export class AgentCommandService {
  readonly #handler: AgentCommandHandler

  constructor(options: AgentCommandHandlerOptions) {
    this.#handler = new AgentCommandHandler(options)
  }

  /** Begins a session whose calls are made by services. */
  createSession(input: AgentCommandInput['createSession']): Promise<CommandAccepted> {
    return this.#handler.handle({ type: 'createSession', ...input })
  }

  /** Adds a work item to a session that has its plan. */
  createWorkItem(input: AgentCommandInput['createWorkItem']): Promise<CommandAccepted> {
    return this.#handler.handle({ type: 'createWorkItem', ...input })
  }

  /** Says which phase the work is in. */
  updateWorkflowState(input: AgentCommandInput['updateWorkflowState']): Promise<CommandAccepted> {
    return this.#handler.handle({ type: 'updateWorkflowState', ...input })
  }

  /** A person's yes or no to what a session asked. */
  answerApproval(input: AgentCommandInput['answerApproval']): Promise<CommandAccepted> {
    return this.#handler.handle({ type: 'answerApproval', ...input })
  }

  /** Gives a session, or a role of it, more money, calls, tokens or turns; a session more time. */
  raiseBudget(input: AgentCommandInput['raiseBudget']): Promise<CommandAccepted> {
    return this.#handler.handle({ type: 'raiseBudget', ...input })
  }

  /** No call is begun any more until the session is resumed. */
  pauseSession(input: AgentCommandInput['pauseSession']): Promise<CommandAccepted> {
    return this.#handler.handle({ type: 'pauseSession', ...input })
  }

  /** Goes on with a session that is paused, or waits for its budget pool. */
  resumeSession(input: AgentCommandInput['resumeSession']): Promise<CommandAccepted> {
    return this.#handler.handle({ type: 'resumeSession', ...input })
  }

  /** Says what shall become of a call in doubt, where the session asks a person (`inDoubt: 'ask'`). */
  resolveCall(input: AgentCommandInput['resolveCall']): Promise<CommandAccepted> {
    return this.#handler.handle({ type: 'resolveCall', ...input })
  }

  /** Ends a session; what runs is stopped. */
  cancelSession(input: AgentCommandInput['cancelSession']): Promise<CommandAccepted> {
    return this.#handler.handle({ type: 'cancelSession', ...input })
  }
}
