import * as z from 'zod'
import type { OutgoingMessage } from '../core/event.ts'
import type { SessionEvent, SessionEventData } from './session/schemas.ts'
import type { CallRole, SessionState } from './session/state.ts'

/** Where the tasks of each role travel, keyed by session id. */
export const taskTopics = {
  manager: 'agent.tasks.manager',
  worker: 'agent.tasks.worker',
  gate: 'quality.gates',
} as const satisfies Record<CallRole, string>

/** Type of the messages on the task topics. */
export const AGENT_TASK = 'AgentTask'

/** "This call is reserved: whoever serves the role may claim it." Carries no more than the session's log says. */
export const agentTaskSchema = z.object({
  sessionId: z.string().min(1),
  callId: z.string().min(1),
  role: z.enum(['manager', 'worker', 'gate']),
  purpose: z.enum(['plan', 'work', 'review', 'gate']),
  workItemId: z.string().optional(),
  attempt: z.int().positive(),
  dispatch: z.enum(['local', 'topics']),
})

/** "There is a call for your role": the data of a message on a task topic. */
export type AgentTask = z.infer<typeof agentTaskSchema>

/** Type of the messages that tell what gates said, on the topic the gates' tasks come from. */
export const QUALITY_GATE_RESULT = 'QualityGateEvaluated'

function gateMessage(sessionId: string, result: SessionEventData['QualityGateResult']): OutgoingMessage {
  const data = { sessionId, ...result }
  return { topic: taskTopics.gate, key: sessionId, type: QUALITY_GATE_RESULT, data, correlationId: sessionId }
}

/** The messages that go out with a session's events: what gates said, and one per reservation that a service is to see. Pure. */
export function taskMessages(
  sessionId: string,
  events: readonly SessionEvent[],
  state: SessionState,
): OutgoingMessage[] {
  return events.flatMap((event) => {
    if (event.type === 'QualityGateResult') return [gateMessage(sessionId, event.data)]
    const { dispatch } = state.settings
    // Nobody but the process that runs a local session may claim its calls.
    if (event.type !== 'AgentCallReserved' || dispatch === 'local') return []
    const { callId, role, purpose, workItemId, attempt } = event.data
    const data: AgentTask = { sessionId, callId, role, purpose, attempt, dispatch, ...(workItemId && { workItemId }) }
    return [{ topic: taskTopics[role], key: sessionId, type: AGENT_TASK, data, correlationId: sessionId }]
  })
}
