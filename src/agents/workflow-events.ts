import * as z from 'zod'
import type { AnyEvent, Event } from '../core/event.ts'
import type { EventStore } from '../store/event-store.ts'
import { type AgentCommand, type AgentCommandInput, agentCommandSchemas } from './cqrs/agent-commands.ts'

/*
 * What the workflow saga hears and sends beside the session's own events. A workflow has the id of its session.
 */

/** What a workflow is asked to do; the session gets the rest. */
export type WorkflowRequest = Omit<AgentCommandInput['createSession'], 'sessionId' | 'commandId' | 'workDir'>

/** Which workflow an event or a command is about. */
export interface WorkflowPlace {
  readonly workflowId: string
}

/** Events in the stream `workflow.ID` that say how the work around the session went. */
export type WorkflowEvent =
  | Event<'WorkflowRequested', WorkflowPlace & { readonly request: WorkflowRequest }>
  | Event<'WorkspacePrepared', WorkflowPlace & { readonly workDir: string }>
  | Event<'WorkspaceDiscarded' | 'WorkDelivered' | 'WorkflowSessionStarted' | 'WorkflowSessionStopped', WorkflowPlace>
  | Event<
      'WorkspaceRefused' | 'DiscardFailed' | 'DeliveryFailed' | 'WorkflowSessionRefused' | 'WorkflowSessionNotStopped',
      WorkflowPlace & { readonly reason: string }
    >

/** Where the saga's commands travel. */
export const WORKFLOW_TOPIC = 'agent.workflows'

/** A command of the saga, as the data of a message. */
export type WorkflowCommand =
  | (WorkflowPlace & {
      readonly kind: 'prepare' | 'deliver' | 'discard'
      readonly request: WorkflowRequest
      readonly workDir?: string
    })
  | (WorkflowPlace & { readonly kind: 'session'; readonly command: AgentCommand })
  | (WorkflowPlace & { readonly kind: 'stop'; readonly command: AgentCommand })

const place = { workflowId: z.string().min(1).max(256) }
const request = agentCommandSchemas.createSession.omit({ sessionId: true, commandId: true, workDir: true })
const around = z.object({
  ...place,
  kind: z.enum(['prepare', 'deliver', 'discard']),
  request,
  workDir: z.string().optional(),
})
const command = z.looseObject({ type: z.enum(Object.keys(agentCommandSchemas)) })
const toSession = z.object({ ...place, kind: z.enum(['session', 'stop']), command })

/** What may lie in {@link WORKFLOW_TOPIC}; strangers write there, too. */
export const workflowCommandSchema = z.discriminatedUnion('kind', [around, toSession])

/** Appends an answer once, however often its command is delivered. */
export async function answer(
  store: EventStore,
  event: WorkflowEvent,
  options: Parameters<EventStore['appendToStream']>[2] = {},
): Promise<void> {
  await store.appendToStream(streamOf(event.data), [event as AnyEvent], options)
}

/** Where a workflow's events lie. */
export function streamOf({ workflowId }: WorkflowPlace): string {
  return `workflow.${workflowId}`
}
