import type { SessionEvent } from 'duolog/agents'

/** What an event means to somebody who watches; nothing, where it is bookkeeping. */
export function narrate({ type, data }: SessionEvent): string | undefined {
  switch (type) {
    case 'PlanProposed':
      return line('plan', data.strategy)
    case 'TaskAssigned':
      return line(
        data.workItemId,
        `${data.attempt === 1 ? 'goes' : 'goes back'} to the Worker, attempt ${data.attempt}`,
      )
    case 'TaskCompleted':
      return line(data.workItemId, 'work done; the gate runs its tests')
    case 'QualityGateResult':
      return line(
        data.workItemId ?? 'session',
        `gate ${data.passed ? 'passed' : 'FAILED'}: ${gist(data.evidence ?? data.explanation)}`,
      )
    case 'TaskReviewed':
      return line(
        data.workItemId,
        `the Manager ${data.approved ? 'approves' : 'rejects'} it, score ${data.qualityScore}`,
      )
    case 'WorkItemAccepted':
      return line(data.workItemId, 'accepted')
    case 'WorkItemFailed':
      return line(data.workItemId, `failed: ${data.reason}`)
    case 'AgentCallFailed':
      return line('call', `${data.callId} failed: ${data.error.message}`)
    case 'AgentCallCancelled':
      return line('call', `${data.callId} withdrawn: ${data.reason}`)
    case 'AgentToolCalled':
      return line(
        'tool',
        `${data.tool}${data.count > 1 ? ` ×${data.count}` : ''}${data.input ? `: ${data.input}` : ''}`,
      )
    case 'ApprovalRequested':
      return line('approval', `wanted for the ${data.subject}`)
    case 'ApprovalGiven':
      return line('approval', `given, ${data.reason ?? 'by you'}`)
    case 'ApprovalDenied':
      return line('approval', `denied, ${data.reason}`)
    case 'BudgetExceeded':
      return line('budget', `the next call needs ${data.needed} ${data.limit}; of ${data.max}, ${data.spent} are spent`)
    case 'PlanRejected':
      return line('plan', `rejected: ${data.errors.join('; ')}`)
    case 'SessionCompleted':
      return line('session', 'completed')
    case 'SessionFailed':
      return line('session', `failed: ${data.reason}`)
    default:
      return undefined
  }
}

/** The counts the gate prints last, and the first test that failed. */
function gist(evidence: string): string {
  const lines = evidence.trim().split('\n')
  const failure = lines.find((text) => text.startsWith('failed: '))
  return [lines.at(-1), failure?.replace('failed: ', 'first: ')].filter((text) => text !== undefined).join('; ')
}

export function line(subject: string, text: string): string {
  return `${subject.padEnd(8)}  ${text}`
}
