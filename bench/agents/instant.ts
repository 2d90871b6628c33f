import type { AgentExecutor, AgentRequest, AgentResult } from '../../src/agents/executor.ts'

/*
 * An executor that answers at once (or after a given time): what is left is the cost of recording. Results of 300 bytes,
 * as the peers' steps were measured with.
 */

export const RESULT_BYTES = 300

const output = 'x'.repeat(RESULT_BYTES)
const review = { approved: true, qualityScore: 0.9, feedback: [], recommendations: [] }

export interface InstantOptions {
  readonly workItems?: number
  readonly delayMs?: number
  readonly onCall?: (request: AgentRequest) => void
}

export function instantExecutor({ workItems = 1, delayMs = 0, onCall }: InstantOptions = {}): AgentExecutor {
  const plan = JSON.stringify({
    strategy: 'one after the other',
    workItems: Array.from({ length: workItems }, (_, n) => ({
      id: `item-${n}`,
      title: `Item ${n}`,
      description: 'Do it',
      acceptanceCriteria: ['It is done'],
    })),
  })
  const verdict = JSON.stringify({ ...review, feedback: ['x'.repeat(RESULT_BYTES - JSON.stringify(review).length)] })
  const answers = { plan, work: output, review: verdict }
  return {
    async execute(request): Promise<AgentResult> {
      onCall?.(request)
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs))
      return { output: answers[request.purpose] }
    },
  }
}

/** Work items that a caller brings, so that no plan is asked for. */
export function sentItems(count: number) {
  return Array.from({ length: count }, (_, n) => ({
    sessionId: '',
    workItemId: `item-${n}`,
    title: `Item ${n}`,
    description: 'Do it',
    acceptanceCriteria: ['It is done'],
  }))
}
